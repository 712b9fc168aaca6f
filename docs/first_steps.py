"""First steps with a running WaferScope: log in, upload a lot, predict it, read what it says.

    python3 docs/first_steps.py

It needs nothing but Python, and asks for the passwords, unless the environment has them in
PASSWORD and NEW_PASSWORD. `--help` lists the options; docs/api.md explains the routes.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
import time
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

DEMO: Final = Path(__file__).resolve().parents[1] / "src/waferscope/demo/demo_lot.stdf.gz"
ANSWER_S: Final = 120
FIGURES: Final = ("waferscope_predictions_total{", "waferscope_queue_jobs ", "waferscope_jobs{")


class Service:
    """The API at an address. After ``log_in`` it is asked in the name of a user."""

    def __init__(self, address: str) -> None:
        self.root = f"{address.rstrip('/')}/api/v1/"
        self.headers: dict[str, str] = {}

    def fetch(self, path: str, body: bytes | None = None, kind: str = "") -> bytes:
        """Return what is answered to a GET, or to a POST where there is a body."""
        headers = self.headers | ({"Content-Type": kind} if kind else {})
        try:
            with urlopen(Request(self.root + path, body, headers), timeout=ANSWER_S) as answer:
                content: bytes = answer.read()
        except HTTPError as error:
            sys.exit(f"{error.code} {error.reason}: {detail_of(error.read())}")
        except (OSError, ValueError, HTTPException) as error:
            why = getattr(error, "reason", error)
            sys.exit(f"Expected an answer from {self.root}, got none: {why}. Run `make run` first.")
        return content

    def ask(self, path: str, question: dict[str, Any] | None = None) -> Any:
        """Return what is answered in JSON; a question is sent as JSON too."""
        if question is None:
            return json.loads(self.fetch(path))
        content = self.fetch(path, json.dumps(question).encode(), "application/json")
        return json.loads(content) if content else None

    def log_in(self, name: str, password: str) -> bool:
        """Log in; return whether this was a one-time password, which opens nothing else."""
        login = self.ask("auth/login", {"name": name, "password": password})
        self.headers["Authorization"] = f"Bearer {login['access_token']}"
        return bool(login["must_change_password"])


def detail_of(content: bytes) -> str:
    """Return what an error (problem+json) says in words; of anything else how it begins."""
    try:
        return str(json.loads(content)["detail"])
    except (ValueError, KeyError, TypeError):
        return content[:200].decode(errors="replace")


def secret(variable: str, prompt: str) -> str:
    """Return a password: that of the environment, else what is typed, which is not shown."""
    try:
        return os.environ.get(variable) or getpass.getpass(f"{prompt}: ")
    except EOFError:
        sys.exit(f"Expected a password, got none. Set {variable}, or start this in a terminal.")


def log_in(service: Service, name: str) -> None:
    """Log in; a one-time password is changed first."""
    password = secret("PASSWORD", f"Password of {name}")
    if service.log_in(name, password):
        new = secret("NEW_PASSWORD", "It can be used once. New password, 12 characters or more")
        service.ask("auth/password", {"old": password, "new": new})
        service.log_in(name, new)
        print("the one-time password is changed")
    me = service.ask("auth/me")
    print(f"logged in: {me['name']}, {me['role']}")


def upload(service: Service, path: Path) -> list[dict[str, Any]]:
    """Send a file, all of whose wafers are stored once it is answered; return its first lot's."""
    asked = f"uploads?predict=false&file_name={quote(path.name)}"
    made = json.loads(service.fetch(asked, path.read_bytes(), "application/octet-stream"))
    known = ", which was here already" if made["repeated"] else ""
    print(f"uploaded: {path.name}{known}, {len(made['wafers'])} wafers are stored")
    lot_id = service.ask(f"wafers/{made['wafers'][0]['id']}")["lot_id"]
    wafers: list[dict[str, Any]] = service.ask(f"lots/{lot_id}/wafers?limit=500")["items"]
    return wafers


def predict(service: Service, wafer: dict[str, Any]) -> None:
    """Predict one stored wafer at once; nothing is kept of it."""
    answer = service.ask("predict", {"wafer_map_ids": [wafer["id"]]})
    found = answer["predictions"][0]["prediction"]
    patterns = ", ".join(found["labels"]) or "no pattern"
    print(f"predicted: {wafer['name']}, {wafer['fails']} of {wafer['dies']} dies fail: {patterns}")
    for defect in found["defects"]:
        print(f"  {defect['class']}, {defect['die_count']} dies")


def run_batch(service: Service, lot_id: str, folder: Path, wait_s: float) -> None:
    """Have a worker predict a lot, and download its results."""
    batch = service.ask("predict/batch", {"lot_ids": [lot_id], "formats": ["csv", "parquet"]})
    end = time.monotonic() + wait_s
    while batch["state"] in ("queued", "running"):
        if time.monotonic() >= end:
            sys.exit(f"Expected a batch within {wait_s:g} s, got one {batch['state']}. See --wait.")
        time.sleep(0.5)
        batch = service.ask(f"predict/batch/{batch['id']}")
    if batch["state"] != "done":
        sys.exit(f"Expected a batch that is done, got one {batch['state']}: {batch['error']}")
    print(f"batch: {batch['done']} wafers done, {batch['failed']} failed")
    folder.mkdir(parents=True, exist_ok=True)
    for name in batch["formats"]:
        path = folder / f"results.{name}"
        path.write_bytes(service.fetch(f"predict/batch/{batch['id']}/results/{name}"))
        print(f"  {path}")


def read_trends(service: Service) -> None:
    """Print each pattern's share in the newest lot, and the limits within which it should be."""
    print("trends, newest lot:")
    for series in service.ask("trends?by=lot")["series"]:
        last = series["points"][-1]
        limits = f"limits {last['lower']:.2f} to {last['upper']:.2f}"
        flagged = f", {last['flagged']}" if last["flagged"] else ""
        found = f"{last['count']} of {last['wafers']} wafers"
        print(f"  {series['label']}: {found} of {last['name']}, {limits}{flagged}")


def read_metrics(service: Service) -> None:
    """Print some of the figures for Prometheus."""
    print("metrics:")
    for line in service.fetch("metrics").decode().splitlines():
        if line.startswith(FIGURES):
            print(f"  {line}")


def main() -> None:
    """Take the first steps, one after the other."""
    asked = argparse.ArgumentParser(description="First steps with a running WaferScope.")
    asked.add_argument("file", nargs="?", type=Path, default=DEMO, help="else the demo lot")
    asked.add_argument("--address", default="http://127.0.0.1:8000", help="default: %(default)s")
    asked.add_argument("--name", default="admin", help="user; default: %(default)s")
    asked.add_argument("--output", type=Path, default=Path("out"), help="default: %(default)s")
    asked.add_argument("--wait", type=float, default=600, help="seconds for the batch; %(default)s")
    given = asked.parse_args()
    if not given.file.is_file():
        sys.exit(f"Expected a file of wafers, got {given.file}, which is not there.")
    service = Service(given.address)
    log_in(service, given.name)
    wafers = upload(service, given.file)
    predict(service, max(wafers, key=lambda wafer: int(wafer["fails"])))
    run_batch(service, wafers[0]["lot_id"], given.output, given.wait)
    read_trends(service)
    read_metrics(service)


if __name__ == "__main__":
    main()
