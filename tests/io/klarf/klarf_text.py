"""KLARF files of any version built from plain values, for the tests to read and to break."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from waferscope.domain.prediction import Prediction
from waferscope.domain.taxonomy import DEFAULT_TAXONOMY
from waferscope.domain.wafermap import WaferMap

Die = tuple[int, int]
COLUMNS = ("DEFECTID", "XREL", "YREL", "XINDEX", "YINDEX", "DSIZE", "CLASSNUMBER", "TEST",
           "CLUSTERNUMBER", "IMAGECOUNT")  # fmt: skip


@dataclass(frozen=True)
class Spot:
    """One defect: its die, class, cluster, size (um) and how many images it has."""

    x: int
    y: int
    number: int = 0
    cluster: int = 0
    size: float = 1.0
    images: int = 0


@dataclass(frozen=True)
class Part:
    """One wafer of a file."""

    name: str
    spots: Sequence[Spot]
    plan: Sequence[Die] = ()
    slot: int = 1


def cells(spot: Spot, number: int, columns: Sequence[str]) -> list[str]:
    """The values of a defect in the order of the columns."""
    known = {
        "DEFECTID": str(number), "XREL": "10.5", "YREL": "20.25", "XINDEX": str(spot.x),
        "YINDEX": str(spot.y), "DSIZE": f"{spot.size:.3f}", "CLASSNUMBER": str(spot.number),
        "TEST": "1", "CLUSTERNUMBER": str(spot.cluster), "IMAGECOUNT": str(spot.images),
        "REMARK": '"a; b"',
    }  # fmt: skip
    pairs = " ".join(f"{n + 1} 0" for n in range(spot.images))
    known["IMAGELIST"] = f"{spot.images} {pairs}".strip()
    return [known[name] for name in columns]


def flat(
    parts: Sequence[Part],
    columns: Sequence[str] = COLUMNS,
    *,
    version: str = "1 2",
    eol: str = "\n",
    wrap: int = 0,
    extra: str = "",
) -> bytes:
    """A file of 1.1 or 1.2; ``wrap`` breaks each defect after that many values."""
    lines = [f"FileVersion {version};", "FileTimestamp 01-02-24 03:04:05;",
             'InspectionStationID "KLA" "2930" "T1";', "SampleType WAFER;",
             "ResultTimestamp 11-22-24 13:14:15;", 'LotID "LOT;7";', "SampleSize 1 100;",
             'DeviceID "DEV";', 'SetupID "S" 01-01-24 00:00:00;', 'StepID "STEP";',
             "SampleOrientationMarkType NOTCH;", "OrientationMarkLocation DOWN;",
             "DiePitch 1.0000e+004 5.0e3;", extra]  # fmt: skip
    for part in parts:
        lines += ["DieOrigin 0.0 0.0;", f'WaferID "{part.name}";', f"Slot {part.slot};",
                  "SampleCenterLocation 5.0e3 2.5e3;", "InspectionTest 1;"]  # fmt: skip
        if part.plan:
            dies = eol.join(f"  {x} {y}" for x, y in part.plan)
            lines.append(f"SampleTestPlan {len(part.plan)}{eol}{dies};")
        lines += ["AreaPerTest 1.0e+010;", f"DefectRecordSpec {len(columns)} {' '.join(columns)} ;"]
        rows = [cells(spot, n, columns) for n, spot in enumerate(part.spots, 1)]
        if wrap:
            rows = [[*r[:wrap], eol, *r[wrap:]] for r in rows]
        body = "".join(f"{eol} {' '.join(row)}" for row in rows)
        lines += [f"DefectList{body};", "SummarySpec 5"]
        lines += [" TESTNO NDEFECT DEFDENSITY NDIE NDEFDIE ;", "SummaryList"]
        lines.append(f" 1 {len(part.spots)} 0.1 {len(part.plan)} 1 ;")
    return (eol.join(line for line in lines if line) + f"{eol}EndOfFile;{eol}").encode()


def nested(parts: Sequence[Part], columns: Sequence[str] = COLUMNS[:-1]) -> bytes:
    """A file of 1.8: lengths in nm, the lot's fields behind its wafers."""
    wafers = []
    for part in parts:
        rows = [cells(spot, n, columns) for n, spot in enumerate(part.spots, 1)]
        size = columns.index("DSIZE")
        for row in rows:
            row[size] = str(int(float(row[size]) * 1000))
        listed = "\n".join(f"{' '.join(row)} N;" for row in rows)
        plan = "\n".join(f"{x} {y};" for x, y in part.plan)
        types = ", ".join(f"int32 {name}" for name in columns)
        wafers.append(f"""
    Record WaferRecord "{part.name}"
    {{
      Field SlotNumber 1 {{{part.slot}}}
      Field SampleCenterLocation 2 {{5000000, 2500000}}
      List DefectList {{ Columns {len(columns) + 1} {{ {types}, ImageList IMAGEINFO }}
        Data {len(rows)}
        {{
{listed}
        }}
      }}
      Record TestRecord "1" {{
        List SampleTestPlanList {{ Columns 2 {{ int32 XINDEX, int32 YINDEX }}
          Data {len(part.plan)} {{ {plan} }} }} }}
    }}""")
    return f"""Record FileRecord "1.8"
{{
  Record LotRecord "LOT;7"
  {{{"".join(wafers)}
    Field DiePitch 2 {{10000000, 5000000}}
    Field InspectionStationID 3 {{"KLA", "2930", "T1"}}
    Field OrientationMarkLocation 1 {{0}}
    Field ResultTimestamp 2 {{"2024-11-22", "13:14:15"}}
    Field SampleOrientationMarkType 1 {{"NOTCH"}}
    Field SampleSize 2 {{100000000, 0}}
    Field DeviceID 1 {{"DEV"}}
    Field StepID 1 {{"STEP"}}
  }}
}}
EndOfFile;
""".encode()


def predicted(wafer: WaferMap, zones: Any = None) -> Prediction:
    """A prediction of probabilities ``[8, rows, cols]`` or of zones by channel; of nothing."""
    probs = np.zeros((8, *wafer.shape), np.float32)
    if isinstance(zones, np.ndarray):
        probs = zones
    else:
        for channel, mask in (zones or {}).items():
            probs[channel][mask] = 0.9
    names = DEFAULT_TAXONOMY.patterns
    return Prediction(
        wafer=wafer,
        taxonomy=DEFAULT_TAXONOMY,
        probs=probs,
        thresholds=(0.5,) * 8,
        patterns=dict.fromkeys(names, 0.1),
        pattern_thresholds=dict.fromkeys(names, 0.5),
        embedding=np.ones(1, np.float32),
        evidence=np.zeros((8, 1, 1), np.float32),
        model_version="t",
    )
