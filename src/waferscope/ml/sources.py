"""What a checkpoint was trained on, and whose notices a model file must therefore carry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch

from waferscope.errors import ModelError
from waferscope.ml.graph.export import NOTICES, read_metadata
from waferscope.ml.task import ABOUT

WM811K: Final = "WM-811K"
MIXEDWM38: Final = "MixedWM38"
SYNTHETIC: Final = "synthetic"
ANNOTATED: Final = "annotated"
KINDS: Final[Mapping[str, str]] = {
    SYNTHETIC: "Synthetic wafers with exact masks",
    WM811K: "WM-811K training split with labels and derived masks",
    MIXEDWM38: "MixedWM38 training split with labels",
    ANNOTATED: "Wafers with masks that people drew",
}
"""What each source gives, as the card says it."""
RUN_NOTE: Final = "run.json"
BEGAN_NOTE: Final = "began_with.json"
"""What a run began with, noted at its start: the file it names may be another one later."""
OF_PARTS: Final = "sources"
"""In the note beside an average: what its parts were trained on."""
_OF_MIX: Final[Mapping[str, tuple[str, ...]]] = {
    "synth": (SYNTHETIC,),
    "real": (WM811K,),
    "mixed": (MIXEDWM38,),
    "composed": (WM811K, MIXEDWM38),
    "annotated": (ANNOTATED,),
    "noise": (SYNTHETIC,),
    "textbook": (SYNTHETIC,),
    "enlarged": (WM811K, MIXEDWM38),
}


def sources_of(checkpoint: Path) -> tuple[str, ...]:
    """Return the sources of a run and of what it started from, as the note beside it says.

    Without a note nothing is known, and every source is named: a notice too many does no harm.
    """
    note = checkpoint.with_name(RUN_NOTE)
    if not note.exists():
        return tuple(KINDS)
    run = json.loads(note.read_text(encoding="utf-8"))
    found = set(run[OF_PARTS] if OF_PARTS in run else _of_run(run))
    if run.get("start_from"):
        found |= set(_of_file(Path(run["start_from"])))
    return tuple(name for name in KINDS if name in found)


def lineage_of(checkpoint: Path) -> tuple[str, ...]:
    """Return what the weights went through before this run, the first first.

    As the notes beside the checkpoints say; a model file that a run began with names itself.
    """
    began = checkpoint.with_name(BEGAN_NOTE)
    if began.exists():
        return tuple(json.loads(began.read_text(encoding="utf-8")))
    note = checkpoint.with_name(RUN_NOTE)
    start = (
        json.loads(note.read_text(encoding="utf-8")).get("start_from") if note.exists() else None
    )
    if not start:
        return ()
    return _history_of(Path(start))


def note_beginning(folder: Path, start: Path) -> None:
    """Write beside a run what the weights it begins with went through."""
    (folder / BEGAN_NOTE).write_text(json.dumps(_history_of(start)), encoding="utf-8")


def note_average(folder: Path, parts: Sequence[Path]) -> None:
    """Write beside an average what its parts went through and were trained on."""
    told = [" then ".join(_history_of(part)) for part in parts]
    (folder / BEGAN_NOTE).write_text(json.dumps(told), encoding="utf-8")
    sources = sorted({name for part in parts for name in _of_file(part)})
    (folder / RUN_NOTE).write_text(json.dumps({OF_PARTS: sources}), encoding="utf-8")


def _history_of(path: Path) -> tuple[str, ...]:
    """Return what the weights in a checkpoint or model file went through, itself included."""
    if not path.exists():
        return (f"{path.name}, not there any more",)
    if path.suffix == ".onnx":
        facts = read_metadata(path)
        was = facts["training_data"]
        return (f"model {facts['model_version']} ({was.get('recipe')}, {was.get('steps')} steps)",)
    saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)[ABOUT]
    return (*lineage_of(path), f"{saved['recipe']}, {saved['steps']} steps")


def notices_of(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the notices that a file trained on these sources carries.

    >>> notices_of(["synthetic"])
    ()
    """
    named = set(sources)
    wm811k, mixedwm38, splits = NOTICES
    found = [n for name, n in ((WM811K, wm811k), (MIXEDWM38, mixedwm38)) if name in named]
    return (*found, splits) if found else ()


def _of_run(run: Mapping[str, Any]) -> Iterable[str]:
    """Yield the sources that the batches of a run were mixed of."""
    for bucket in run["buckets"]:
        for name, share in bucket["mix"].items():
            if share > 0:
                yield from _OF_MIX.get(name, tuple(KINDS))
    if run.get("semi"):
        yield from _OF_MIX["composed"]


def _of_file(start: Path) -> Iterable[str]:
    """Return the sources of the model that a run began with; all where it does not say."""
    if not start.exists():
        return tuple(KINDS)
    if start.suffix != ".onnx":
        return sources_of(start)
    try:
        known = read_metadata(start)["training_data"].get("sources")
    except (ModelError, KeyError):
        known = None
    return tuple(known) if known else tuple(KINDS)
