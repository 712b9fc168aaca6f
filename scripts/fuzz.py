"""Fuzzes every reader for an equal share of the time; any outcome but FormatError is a failure.

Each reader gets a process of its own with at most 512 MB more than it starts with and 5 s per
file, fed by the small valid files of tests/io/corpus.py. A file that fails is kept in out/fuzz.
"""

from __future__ import annotations

import argparse
import operator
import os
import resource
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from types import FunctionType
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
FOUND: Final = ROOT / "out" / "fuzz"
GROWTH_MB: Final = 512
SECONDS: Final = 5
LONGEST: Final = 1 << 16
# In the order of the interpreter's numbers for them.
COMPARISONS: Final = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def fuzz_all(names: list[str], seconds: float) -> list[str]:
    """Fuzz each reader in a process of its own; return the names of those that failed."""
    share = max(1, int(seconds / len(names)))
    failed = []
    for name in names:
        sys.stdout.write(f"== {name}: {share} s\n")
        sys.stdout.flush()
        command = [sys.executable, __file__, "--child", name, "--seconds", str(share)]
        if subprocess.run(command, cwd=ROOT, env=_environment(), check=False).returncode:
            failed.append(name)
    return failed


def _environment() -> dict[str, str]:
    paths = [str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(p for p in paths if p), "OMP_NUM_THREADS": "1"}
    return {**os.environ, **own, "ARROW_DEFAULT_MEMORY_POOL": "system"}


def spare_arrays(atheris: Any) -> None:
    """Let arrays be compared without atheris 3.0.0, which never frees what two of them give."""
    trace = atheris._trace_cmp
    if isinstance(trace, FunctionType):
        return

    def compare(left: Any, right: Any, number: int, *place: Any) -> Any:
        if hasattr(left, "__array__") or hasattr(right, "__array__"):
            return COMPARISONS[number](left, right)
        return trace(left, right, number, *place)

    atheris._trace_cmp = compare


def fuzz_one(name: str, seconds: int) -> None:
    """Fuzz one reader in this process, which ends with a code other than 0 at a failure."""
    import atheris

    with redirect_stderr(StringIO()), atheris.instrument_imports(include=["waferscope"]):
        from waferscope.errors import FormatError
        from waferscope.io import read
    from tests.io.corpus import files

    seeds = files(name)
    for data in seeds:  # loads what is loaded late, so that it is no growth
        read(data, name)

    def read_one(data: bytes) -> None:
        spare_arrays(atheris)  # not earlier: its loop begins with a comparison of its own
        try:
            read(data, name)
        except FormatError:
            return

    start_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    FOUND.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds):
            (Path(folder) / f"{number}").write_bytes(data)
        limits = [f"-max_total_time={seconds}", f"-timeout={SECONDS}", f"-max_len={LONGEST}"]
        memory = [f"-rss_limit_mb={start_mb + GROWTH_MB}", f"-malloc_limit_mb={GROWTH_MB}"]
        kept = [f"-artifact_prefix={FOUND}/{name}-", "-verbosity=0", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, *memory, *kept, folder], read_one)
        atheris.Fuzz()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600, help="for all readers together")
    parser.add_argument("--only", nargs="*", help="readers; all of them if left out")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        fuzz_one(given.child, int(given.seconds))
        return
    sys.path[:0] = [str(ROOT / "src"), str(ROOT)]
    from waferscope.io import READERS

    names = [name for name in READERS if not given.only or name in given.only]
    failed = fuzz_all(names, given.seconds)
    sys.stdout.write(f"failed: {', '.join(failed)}; see {FOUND}\n" if failed else "all clean\n")
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
