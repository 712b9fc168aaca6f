"""How fast and how large inference is, end to end; `make bench` runs it.

End to end means dies in; masks, defects and metrics out, for the large maps the zone polygons
too. The model, its fp32 ONNX file and its network in plain torch run interleaved, so that whatever
else the machine does hits all alike. See benchmarks/README.md.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.reference import network_of, torch_predictor, write_fp32
from benchmarks.wafers import as_csv, lot, synthetic
from waferscope.domain.prediction import Prediction
from waferscope.domain.wafermap import WaferMap
from waferscope.errors import WaferScopeError
from waferscope.infer import Predictor, load_predictor
from waferscope.infer.model_file import find_model

ROOT: Final = Path(__file__).resolve().parents[1]
VAL: Final = ROOT.parent / "shared" / "data" / "wm811k" / "val.parquet"
FP32: Final = ROOT / "out" / "bench" / "waferscope-fp32.onnx"
LARGE: Final = (300, 300)
ROUNDS: Final = 4
COLD_RUNS: Final = 5
TORCH_SHARE: Final = 5
"""Torch is asked for every fifth wafer: it is slow, and only its ratio is wanted."""
SIDES: Final = (32, 64, 128, 256, 300, 384, 512, 600)
"""Sides of the maps of the curve."""
TARGETS: Final = {
    "large_ms": ("300 x 300 end to end", "p50 at most 60 ms, p95 at most 80 ms"),
    "wafers_per_s": ("WM-811K val through the library", "at least 300 wafers/s, reach for 500"),
    "command_per_s": (
        "through `waferscope predict` to Parquet",
        "at least 200 wafers/s, reach 300",
    ),
    "peak_mb": ("peak memory of a process", "at most 800 MB"),
    "cold_s": ("cold `waferscope predict` of one file", "at most 2 s"),
    "start_s": ("start", "import below 0.3 s, help below 0.5 s"),
    "curve": ("time grows as the dies", "the same microseconds a die from 64 x 64 on"),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One model under test: the shipped one, its fp32 file, or torch, which has no file."""

    name: str
    path: Path | None
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
        ("curve", lambda: measure_curve(sides[0])),
        ("command", lambda: measure_command(options)),
        ("memory", lambda: measure_memory(sides, options)),
        ("cold", lambda: measure_cold(sides)),
        ("start", measure_start),
    )
    for name, measure in measures:
        found[name] = measure()
    if options.json:
        Path(options.json).write_text(json.dumps(found, indent=2) + "\n")
        print(f"written   {options.json}")
    return 0


def measure_large(sides: Sequence[Side], repeats: int) -> dict[str, Any]:
    """Time single 300 x 300 wafers: masks, defects, polygons and metrics."""
    wafers = synthetic(LARGE, repeats)
    times: dict[str, list[Spent]] = {side.name: [] for side in sides}
    for side in sides:
        _finish(side.predictor.predict(wafers[0]), polygons=True)
    for number, wafer in enumerate(wafers):
        for side in sides:
            if side.path is None and number % TORCH_SHARE:
                continue
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
    _target("large_ms")
    return _with_ratio(found, sides, lambda one: one["p50_ms"], "time")


def measure_stream(sides: Sequence[Side], data: Path, count: int) -> dict[str, Any]:
    """Time a sample of WM-811K val, or synthetic wafers of its sizes, in interleaved rounds."""
    wafers, origin = lot(data, count)
    spent = {side.name: Spent(0.0, 0.0) for side in sides}
    counts = dict.fromkeys(spent, 0)
    for side in sides:
        _drain(side.predictor, wafers[:64])
    for part in np.array_split(np.arange(len(wafers)), ROUNDS):
        chunk = [wafers[index] for index in part]
        for side in sides:
            share = chunk if side.path is not None else chunk[::TORCH_SHARE]
            start = Spent.now()
            _drain(side.predictor, share)
            spent[side.name] += Spent.now() - start
            counts[side.name] += len(share)
    found: dict[str, Any] = {"wafers": len(wafers), "origin": origin}
    for name, total in spent.items():
        rate, cpu = counts[name] / total.wall_ms * 1e3, total.cpu_ms / counts[name]
        found[name] = {"wafers_per_s": rate, "cpu_ms": cpu}
        line = f"{rate:7.1f} wafers/s   processor {cpu:.2f} ms per wafer"
        _say("stream", name, f"{line}   ({counts[name]} {origin})")
    _target("wafers_per_s")
    return _with_ratio(found, sides, lambda one: 1.0 / one["wafers_per_s"], "time")


def measure_curve(side: Side) -> dict[str, Any]:
    """Time single maps of growing sides: the median of five, and what a die of the map takes."""
    found: dict[str, Any] = {}
    for edge in SIDES:
        wafers = synthetic((edge, edge), 5)
        _finish(side.predictor.predict(wafers[0]), polygons=True)
        spent = []
        for wafer in wafers:
            start = Spent.now()
            _finish(side.predictor.predict(wafer), polygons=True)
            spent.append(Spent.now() - start)
        wall = statistics.median(one.wall_ms for one in spent)
        found[str(edge)] = {"ms": wall, "us_per_die": wall * 1e3 / edge**2}
        bar = "#" * round(wall / 5)
        _say("curve", f"{edge}x{edge}", f"{wall:7.1f} ms  {wall * 1e3 / edge**2:5.2f} us/die {bar}")
    _target("curve")
    return found


def measure_command(options: argparse.Namespace) -> dict[str, Any]:
    """Time `waferscope predict` of a whole Parquet file to Parquet, its start included."""
    if not options.data.is_file():
        print(f"command   not measured: no file at {options.data}")
        return {}
    with tempfile.TemporaryDirectory() as folder:
        call = [*_waferscope(), "predict", str(options.data), "--output", folder]
        call += ["--format", "parquet", "--threads", str(options.threads)]
        call += ["--limit", str(options.command)]
        start = time.perf_counter()
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - start
    if done.returncode:
        print(f"command   not measured: {done.stderr.strip()}")
        return {}
    rate = options.command / wall
    _say(
        "command", "released", f"{rate:7.1f} wafers/s   ({options.command} wafers, start included)"
    )
    _target("command_per_s")
    return {"wafers": options.command, "wafers_per_s": rate}


def measure_start() -> dict[str, Any]:
    """Time `import waferscope` and `waferscope --help`, each in new processes."""
    calls = {
        "import": [sys.executable, "-c", "import waferscope"],
        "python": [sys.executable, "-c", "pass"],
        "help": [*_waferscope(), "--help"],
    }
    found: dict[str, Any] = {}
    for name, call in calls.items():
        spent = []
        for _ in range(COLD_RUNS):
            start = time.perf_counter()
            subprocess.run(call, capture_output=True, check=True)
            spent.append(time.perf_counter() - start)
        found[name] = {"median_s": statistics.median(spent)}
        _say("start", name, f"median {found[name]['median_s']:5.2f} s")
    _target("start_s")
    return found


def _waferscope() -> list[str]:
    binary = Path(sys.executable).with_name("waferscope")
    start_up = [sys.executable, "-c", "from waferscope.cli import main; main()"]
    return [str(binary)] if binary.exists() else start_up


def measure_memory(sides: Sequence[Side], options: argparse.Namespace) -> dict[str, Any]:
    """Peak resident memory of a process of its own that does both of the above."""
    found: dict[str, Any] = {}
    sides = [side for side in sides if side.path is not None]
    for side in sides:
        command = [sys.executable, "-m", "benchmarks.speed", "--memory-of", str(side.path)]
        command += ["--data", str(options.data), "--wafers", str(options.wafers)]
        command += ["--threads", str(options.threads), "--large", "5"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            print(f"memory    not measured: {done.stderr.strip().splitlines()[-1]}")
            return {}
        found[side.name] = {"peak_mb": float(done.stdout.split()[-1])}
        size = side.predictor.model.size_bytes / 2**20
        _say(
            "memory", side.name, f"{found[side.name]['peak_mb']:7.0f} MB peak   file {size:.1f} MB"
        )
    _target("peak_mb")
    return _with_ratio(found, sides, lambda one: one["peak_mb"], "memory")


def measure_cold(sides: Sequence[Side]) -> dict[str, Any]:
    """Time the command line on one file, a new process each time."""
    command, sides = _waferscope(), [side for side in sides if side.path is not None]
    times: dict[str, list[float]] = {side.name: [] for side in sides}
    with tempfile.TemporaryDirectory() as folder:
        wafer = Path(folder) / "wafer.csv"
        wafer.write_text(as_csv(synthetic((26, 26), 1)[0]))
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
    parser.add_argument("--alone", action="store_true", help="without fp32 and torch beside it")
    parser.add_argument("--data", type=Path, default=VAL, help="WM-811K val parquet")
    parser.add_argument("--wafers", type=int, default=1500, help="wafers of the stream")
    parser.add_argument("--large", type=int, default=40, help="wafers of 300 x 300")
    parser.add_argument("--command", type=int, default=3000, help="wafers of the command line")
    parser.add_argument("--threads", type=int, default=2, help="threads of each predictor")
    parser.add_argument("--json", help="write the figures to this file")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def _sides(model: Path, options: argparse.Namespace) -> list[Side]:
    released = Side("released", model, load_predictor(model, options.threads))
    if options.alone:
        return [released]
    info = released.predictor.model
    net = network_of(info)
    fp32 = write_fp32(net, info, FP32)
    return [
        released,
        Side("fp32", fp32, load_predictor(fp32, options.threads)),
        Side("torch", None, torch_predictor(net, info, options.threads)),
    ]


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


def _peak_mb(predictor: Predictor, options: argparse.Namespace) -> float:
    for wafer in synthetic(LARGE, options.large):
        _finish(predictor.predict(wafer), polygons=True)
    _drain(predictor, lot(options.data, options.wafers)[0])
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
    one = figure(found[sides[0].name])
    for side in sides[1:]:
        ratio = found[f"ratio_to_{side.name}"] = one / figure(found[side.name])
        print(f"{'':10}{sides[0].name} / {side.name} = {ratio:.2f} of the {of}")
    return found


def _say(what: str, side: str, text: str) -> None:
    print(f"{what:10}{side:9} {text}", flush=True)


def _target(name: str) -> None:
    what, limit = TARGETS[name]
    print(f"{'':10}target    {what}: {limit}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
