"""How fast and how large inference is, end to end; `make bench` runs it.

End to end means dies in; masks, defects and metrics out, for the large maps the zone polygons
too. Where an fp32 file of the model is at hand, both run interleaved, so that whatever else the
machine does hits both alike. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import WaferScopeError
from waferscope.infer import Predictor, load_predictor
from waferscope.infer.model_file import find_model
from waferscope.synth import build_wafer

ROOT: Final = Path(__file__).resolve().parents[1]
VAL: Final = ROOT.parent / "shared" / "data" / "wm811k" / "val.parquet"
FP32: Final = ROOT / "runs" / "waferscope-fp32.onnx"
LARGE: Final = (300, 300)
ROUNDS: Final = 4
COLD_RUNS: Final = 5
# Ten equal parts of WM-811K val by number of dies, one map size from the middle of each.
VAL_SHAPES: Final = (
    (25, 27), (25, 27), (27, 25), (25, 27), (26, 26),
    (35, 31), (33, 37), (39, 37), (50, 51), (101, 65),
)  # fmt: skip
TARGETS: Final = {
    "large_p95_ms": ("300 x 300 end to end, p95", "at most 120 ms"),
    "wafers_per_s": ("WM-811K val end to end", "at least 200 wafers/s"),
    "peak_mb": ("peak memory of a process", "at most 1,024 MB"),
    "cold_s": ("cold `waferscope predict` of one file", "at most 2 s"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One model under test: the shipped one or its fp32 reference."""

    name: str
    path: Path
    predictor: Predictor


@dataclass(frozen=True, slots=True)
class Spent:
    """Time spent: by the clock, and by the processors for this process alone."""

    wall_ms: float
    cpu_ms: float

    @classmethod
    def now(cls) -> Spent:
        """Read both clocks."""
        return cls(time.perf_counter() * 1e3, time.process_time() * 1e3)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.wall_ms - other.wall_ms, self.cpu_ms - other.cpu_ms)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.wall_ms + other.wall_ms, self.cpu_ms + other.cpu_ms)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write JSON where asked; return the exit code."""
    options = _options(arguments)
    try:
        if options.memory_of:
            print(_peak_mb(load_predictor(options.memory_of, options.threads), options))
            return 0
        sides = _sides(find_model(options.model), options)
    except WaferScopeError as error:
        print(f"benchmark stopped: {error}", file=sys.stderr)
        return 2
    found: dict[str, Any] = {"machine": _machine(sides[0], options.threads)}
    print(f"machine   {found['machine']}")
    measures: tuple[tuple[str, Callable[[], dict[str, Any]]], ...] = (
        ("large", lambda: measure_large(sides, options.large)),
        ("stream", lambda: measure_stream(sides, options.data, options.wafers)),
        ("memory", lambda: measure_memory(sides, options)),
        ("cold", lambda: measure_cold(sides)),
    )
    for name, measure in measures:
        found[name] = measure()
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
        print(f"written   {options.json}")
    return 0


def measure_large(sides: Sequence[Side], repeats: int) -> dict[str, Any]:
    """Time single 300 x 300 wafers: masks, defects, polygons and metrics."""
    wafers = _synthetic(LARGE, repeats)
    times: dict[str, list[Spent]] = {side.name: [] for side in sides}
    for side in sides:
        _finish(side.predictor.predict(wafers[0]), polygons=True)
    for wafer in wafers:
        for side in sides:
            start = Spent.now()
            _finish(side.predictor.predict(wafer), polygons=True)
            times[side.name].append(Spent.now() - start)
    found: dict[str, Any] = {"wafers": repeats}
    for name, spent in times.items():
        p50, p95 = (float(np.percentile([s.wall_ms for s in spent], q)) for q in (50, 95))
        cpu = statistics.median(s.cpu_ms for s in spent)
        found[name] = {"p50_ms": p50, "p95_ms": p95, "cpu_ms": cpu}
        line = f"p50 {p50:7.1f} ms   p95 {p95:7.1f} ms   processor {cpu:.1f} ms"
        _say(f"{LARGE[0]} x {LARGE[1]}", name, line)
    _target("large_p95_ms")
    return _with_ratio(found, sides, lambda one: one["p50_ms"], "time")


def measure_stream(sides: Sequence[Side], data: Path, count: int) -> dict[str, Any]:
    """Time a sample of WM-811K val, or synthetic wafers of its sizes, in interleaved rounds."""
    wafers, origin = _lot(data, count)
    spent = {side.name: Spent(0.0, 0.0) for side in sides}
    for side in sides:
        _drain(side.predictor, wafers[:64])
    for part in np.array_split(np.arange(len(wafers)), ROUNDS):
        chunk = [wafers[index] for index in part]
        for side in sides:
            start = Spent.now()
            _drain(side.predictor, chunk)
            spent[side.name] += Spent.now() - start
    found: dict[str, Any] = {"wafers": len(wafers), "origin": origin}
    for name, total in spent.items():
        rate, cpu = len(wafers) / total.wall_ms * 1e3, total.cpu_ms / len(wafers)
        found[name] = {"wafers_per_s": rate, "cpu_ms": cpu}
        line = f"{rate:7.1f} wafers/s   processor {cpu:.2f} ms per wafer"
        _say("stream", name, f"{line}   ({len(wafers)} {origin})")
    _target("wafers_per_s")
    return _with_ratio(found, sides, lambda one: 1.0 / one["wafers_per_s"], "time")


def measure_memory(sides: Sequence[Side], options: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of a process of its own that does both of the above."""
    found: dict[str, Any] = {}
    for side in sides:
        command = [sys.executable, __file__, "--memory-of", str(side.path)]
        command += ["--data", str(options.data), "--wafers", str(options.wafers)]
        command += ["--threads", str(options.threads), "--large", "5"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"memory    not measured: {done.stderr.strip().splitlines()[-1]}")
            return {}
        found[side.name] = {"peak_mb": float(done.stdout.split()[-1])}
        size = side.path.stat().st_size / 2**20
        _say(
            "memory", side.name, f"{found[side.name]['peak_mb']:7.0f} MB peak   file {size:.1f} MB"
        )
    _target("peak_mb")
    return _with_ratio(found, sides, lambda one: one["peak_mb"], "memory")


def measure_cold(sides: Sequence[Side]) -> dict[str, Any]:
    """Time the command line on one file, a new process each time."""
    binary = Path(sys.executable).with_name("waferscope")
    start_up = [sys.executable, "-c", "from waferscope.cli import main; main()"]
    command = [str(binary)] if binary.exists() else start_up
    times: dict[str, list[float]] = {side.name: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        wafer = Path(folder) / "wafer.csv"
        wafer.write_text(_as_csv(_synthetic((26, 26), 1)[0]))
        for _ in range(COLD_RUNS):
            for side in sides:
                call = [*command, "predict", str(wafer), "--output", f"{folder}/out"]
                call += ["--format", "csv", "--model", str(side.path)]
                start = time.perf_counter()
                done = subprocess.run(call, capture_output=True, text=True, check=False)
                times[side.name].append(time.perf_counter() - start)
                if done.returncode:
                    print(f"cold      not measured: {call} failed: {done.stderr.strip()}")
                    return {}
    found: dict[str, Any] = {}
    for name, spent in times.items():
        found[name] = {"median_s": statistics.median(spent), "worst_s": max(spent)}
        _say("cold", name, f"median {found[name]['median_s']:5.2f} s   worst {max(spent):5.2f} s")
    _target("cold_s")
    return _with_ratio(found, sides, lambda one: one["median_s"], "time")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, help="model file; default: the released one")
    parser.add_argument("--fp32", type=Path, default=FP32, help="its fp32 file, to compare with")
    parser.add_argument("--data", type=Path, default=VAL, help="WM-811K val parquet")
    parser.add_argument("--wafers", type=int, default=1500, help="wafers of the stream")
    parser.add_argument("--large", type=int, default=40, help="wafers of 300 x 300")
    parser.add_argument("--threads", type=int, default=2, help="threads of each predictor")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _sides(model: Path, options: argparse.Namespace) -> list[Side]:
    sides = [Side("released", model, load_predictor(model, options.threads))]
    if options.fp32.is_file():
        sides.append(Side("fp32", options.fp32, load_predictor(options.fp32, options.threads)))
    else:
        print(f"fp32      not compared: no file at {options.fp32}; give one with --fp32")
    return sides


def _machine(side: Side, threads: int) -> str:
    info = side.predictor.model
    return (
        f"{platform.machine()}, {os.cpu_count()} processors, {threads} threads, load "
        f"{os.getloadavg()[0]:.1f}, Python {platform.python_version()}, model {info.version} "
        f"({info.quantisation or 'quantisation not named'})"
    )


def _finish(prediction: Prediction, *, polygons: bool) -> None:
    """Ask for everything a user would see."""
    _ = prediction.labels, prediction.masks, prediction.severity
    for defect in prediction.defects:
        if polygons:
            _ = defect.polygon
    _ = prediction.metrics


def _drain(predictor: Predictor, wafers: Sequence[WaferMap]) -> None:
    for prediction in predictor.predict_stream(wafers):
        _finish(prediction, polygons=False)


def _synthetic(shape: tuple[int, int], count: int) -> list[WaferMap]:
    return [
        build_wafer(np.random.default_rng((shape[0], n)), shape=shape).to_wafermap(f"synthetic-{n}")
        for n in range(count)
    ]


def _lot(data: Path, count: int) -> tuple[list[WaferMap], str]:
    """Return wafers and where they come from."""
    if not data.is_file():
        each = -(-count // len(VAL_SHAPES))
        made = [wafer for shape in VAL_SHAPES for wafer in _synthetic(shape, each)]
        order = np.random.default_rng(0).permutation(len(made))[:count]
        return [made[n] for n in order], f"synthetic wafers, as {data.name} is not at hand"
    return list(_sample(data, count)), "wafers of WM-811K val"


def _sample(data: Path, count: int) -> Iterator[WaferMap]:
    import pyarrow.parquet as pq

    table = pq.read_table(data, columns=["wafer_id", "rows", "cols", "dies"])
    chosen = np.random.default_rng(0).permutation(table.num_rows)[:count]
    for row in table.take(chosen).to_pylist():
        grid = np.frombuffer(row["dies"], np.uint8).reshape(row["rows"], row["cols"])
        yield WaferMap(grid, wafer_id=row["wafer_id"])


def _as_csv(wafer: WaferMap) -> str:
    lines = ["x,y,pass"]
    for row, col in np.argwhere(wafer.dies > 0):
        lines.append(f"{col},{row},{int(wafer.dies[row, col] == 1)}")
    return "\n".join(lines) + "\n"


def _peak_mb(predictor: Predictor, options: argparse.Namespace) -> float:
    for wafer in _synthetic(LARGE, options.large):
        _finish(predictor.predict(wafer), polygons=True)
    _drain(predictor, _lot(options.data, options.wafers)[0])
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss keeps the peak of the parent across fork and exec
        peak = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _with_ratio(
    found: dict[str, Any],
    sides: Sequence[Side],
    figure: Callable[[dict[str, float]], float],
    of: str,
) -> dict[str, Any]:
    if len(sides) == 2:
        one, other = (figure(found[side.name]) for side in sides)
        found["ratio"] = one / other
        print(f"{'':10}{sides[0].name} / {sides[1].name} = {found['ratio']:.2f} of the {of}")
    return found


def _say(what: str, side: str, text: str) -> None:
    print(f"{what:10}{side:9} {text}", flush=True)


def _target(name: str) -> None:
    what, limit = TARGETS[name]
    print(f"{'':10}target    {what}: {limit}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
