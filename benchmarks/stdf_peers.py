"""How fast STDF is read, beside the libraries that read it too; see benchmarks/README.md.

Every library reads the same files, in turn, round by round, so that whatever else the machine does
hits all alike. Each runs in a process of its own; the peers in an environment that is made from
stdf_peers.lock, since none of them is a dependency. All have to find the same dies.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from benchmarks.stdf_mended import mend
from benchmarks.stdf_readers import WAYS

ROOT: Final = Path(__file__).resolve().parents[1]
LOTS: Final = ROOT.parent / "shared" / "data" / "formats" / "stdf"
LOCK: Final = ROOT / "benchmarks" / "stdf_peers.lock"
PEERS: Final = ROOT / "out" / "stdf-peers"
OWN: Final = "waferscope"
TARGETS: Final = {"pystdf": 8, "Semi-ATE-STDF": 20, "stdfast": 1}
SLOW: Final = 2.0
"""Seconds from which a reading is not repeated."""


class Reader:
    """One way of reading, waiting in a process of its own."""

    def __init__(self, way: str, python: Path) -> None:
        self.way = way
        script = ROOT / "benchmarks" / "stdf_readers.py"
        self._process = subprocess.Popen(
            [python, script, way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "RUST_BACKTRACE": "0"},
        )

    def read(self, path: Path) -> dict[str, Any]:
        """Return what `benchmarks.stdf_readers.answer` does."""
        pipe, answers = self._process.stdin, self._process.stdout
        assert pipe is not None
        assert answers is not None
        pipe.write(f"{path}\n")
        pipe.flush()
        line = answers.readline()
        found: dict[str, Any] = json.loads(line) if line else {"error": "the process died"}
        return found

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def install_peers(folder: Path) -> Path:
    """Make the peers' environment unless it is there; return its interpreter."""
    python, mark = folder / "bin" / "python", folder / LOCK.name
    if not mark.exists() or mark.read_bytes() != LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--quiet", "-r", str(LOCK)]
        subprocess.run(install, check=True)
        mark.write_bytes(LOCK.read_bytes())
    return python


def measure(readers: Sequence[Reader], path: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Return per way the quickest of its readings in ms and the dies it found, or its error.

    The quickest, since whatever else the machine does only ever adds to it.
    """
    first = {reader.way: reader.read(path) for reader in readers}  # imports, and caches
    times: dict[str, list[float]] = {way: [] for way in first}
    for _ in range(rounds):
        for reader in readers:
            told = first[reader.way]
            if "error" in told or told["seconds"] > SLOW:
                continue
            times[reader.way].append(reader.read(path)["seconds"])
    return {
        way: told if "error" in told else {**told, "ms": 1e3 * min(times[way] or [told["seconds"]])}
        for way, told in first.items()
    }


def report(name: str, found: dict[str, dict[str, Any]]) -> None:
    """Print one file's table: time, ratio to this package, and the dies."""
    own = found[OWN]
    print(f"\n{name}\n\n| read by | ms | times as long | dies, failing |\n|---|---|---|---|")
    for way, told in found.items():
        if "error" in told:
            print(f"| {way} | fails: {told['error'][:70]} | | |")
        else:
            ratio = "" if way == OWN else f"{told['ms'] / own['ms']:.1f}"
            print(f"| {way} | {told['ms']:,.1f} | {ratio} | {told['dies']:,}, {told['failed']} |")
    counts = {(told["dies"], told["failed"]) for told in found.values() if "error" not in told}
    print("" if len(counts) == 1 else "\nThe libraries DISAGREE on the dies.")


def judge(files: dict[str, dict[str, dict[str, Any]]]) -> None:
    """Print each target with the least ratio over all files and ways of reading whole files."""
    for peer, target in TARGETS.items():
        ratios = {
            f"{way}, {name}": told["ms"] / found[OWN]["ms"]
            for name, found in files.items()
            for way, told in found.items()
            if way.startswith(peer) and "alone" not in way and "ms" in told
        }
        if ratios:
            least = min(ratios, key=ratios.__getitem__)
            verdict = "met" if ratios[least] >= target else "MISSED"
            print(f"at least {target} x {peer}: {verdict}, {ratios[least]:.1f} x ({least})")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=LOTS, help="folder of packed STDF lots")
    parser.add_argument("--rounds", type=int, default=7, help="readings; one of a slow way")
    parser.add_argument("--peers", type=Path, default=PEERS, help="the peers' environment")
    parser.add_argument("--only", nargs="*", help="ways of reading; all of them if left out")
    given = parser.parse_args()
    python = install_peers(given.peers)
    ways = [way for way in WAYS if way == OWN or not given.only or way in given.only]
    readers = [Reader(w, Path(sys.executable) if w == OWN else python) for w in ways]
    load = os.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ")
    print(f"waferscope {metadata.version('waferscope')}, load {load:.1f}, {given.rounds} rounds")
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open}
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for packed in sorted(given.data.glob("*.stdf.*")):
            data = openers[packed.suffix](packed).read()
            path = Path(folder) / packed.stem
            path.write_bytes(data)
            files[packed.stem] = measure(readers, path, given.rounds)
            path.write_bytes(mend(data))
            some = [reader for reader in readers if reader.way.startswith((OWN, "stdfast"))]
            files[f"{packed.stem}, mended"] = measure(some, path, given.rounds)
    for name, found in files.items():
        report(name, found)
    for reader in readers:
        reader.close()
    judge(files)


if __name__ == "__main__":
    main()
