"""Real servers on loopback, started for the tests: PostgreSQL, Redis, and one that speaks S3."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

START_S = 60


class ServerMissingError(RuntimeError):
    """A server that the tests need is not installed."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(ready: Callable[[], bool], what: str) -> None:
    """Wait until it is ready, or say what was not."""
    end = time.monotonic() + START_S
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} was not ready within {START_S} s")
        time.sleep(0.05)


def find_program(name: str, package: str) -> str:
    """The path of a program, PostgreSQL's own folders included."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerMissingError(
            f"Expected the program {name}, found none. Run `apt-get install {package}`, "
            "or `make test`, which does."
        )
    return found


@contextmanager
def running(
    command: list[str], port: int, log: Path, end: signal.Signals = signal.SIGTERM
) -> Iterator[subprocess.Popen[bytes]]:
    """A server process that listens on the port, told to end at the end."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"{command[0]} ended:\n{log.read_text()[-2000:]}")
        return listens(port)

    try:
        wait_for(ready, command[0])
        yield process
    finally:
        process.send_signal(end)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def as_nobody_special() -> list[str]:
    """The words that run a command as the user postgres, where the tests run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


@contextmanager
def postgresql() -> Iterator[str]:
    """A PostgreSQL server; gives its URL without a database name, ending in ``/``."""
    with tempfile.TemporaryDirectory(prefix="waferscope-pg-", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        folder.chmod(0o755)
        data = folder / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, "postgres", "postgres")
        initdb = [*as_nobody_special(), find_program("initdb", "postgresql"), "-D", str(data)]
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8"]
        subprocess.run([*initdb, *options], check=True, capture_output=True, cwd="/")
        port = free_port()
        command = [*as_nobody_special(), find_program("postgres", "postgresql"), "-D", str(data)]
        for setting in (
            f"port={port}",
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=200",
        ):
            command += ["-c", setting]
        ask = [find_program("pg_isready", "postgresql"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        # SIGINT: without waiting for clients that are still connected.
        with running(command, port, folder / "log", signal.SIGINT):
            wait_for(lambda: subprocess.run(ask, check=False).returncode == 0, "PostgreSQL")
            yield f"postgresql://postgres@127.0.0.1:{port}/"


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server; gives its URL without a database number, ending in ``/``."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="waferscope-redis-") as folder:
        command = [find_program("redis-server", "redis-server"), "--port", str(port)]
        command += ["--bind", "127.0.0.1", "--save", "", "--dir", folder]
        with running(command, port, Path(folder) / "log"):
            yield f"redis://127.0.0.1:{port}/"


@contextmanager
def s3() -> Iterator[str]:
    """A server that speaks the S3 protocol; gives its address."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="waferscope-s3-") as folder:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with running(command, port, Path(folder) / "log"):
            yield f"http://127.0.0.1:{port}"
