"""A run that has to end in time: how much of it is over, by steps and by the clock."""

from __future__ import annotations

import time
from typing import Any, Final

import lightning

MINUTE: Final = 60.0


class TimeBudget(lightning.Callback):
    """Counts the seconds of training, over all its resumptions, and ends the run after ``minutes``.

    `share` is the part of the budget that is spent; the learning rate follows it where it is ahead
    of the steps, so that a run on a slow machine is cut short but not cut off.
    """

    def __init__(self, minutes: float) -> None:
        self.seconds = minutes * MINUTE
        self.spent = 0.0
        self.since: float | None = None

    @property
    def share(self) -> float:
        """Part of the budget that is spent, 0 to 1."""
        return min(1.0, self.spent / self.seconds)

    def on_train_batch_start(self, *_: Any) -> None:
        """Start the clock with the first batch: data that is opened first does not count."""
        if self.since is None:
            self.since = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Read the clock, and stop the run once its time is over."""
        now = time.monotonic()
        self.spent += now - (now if self.since is None else self.since)
        self.since = now
        if self.share >= 1.0:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {"spent": self.spent}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.spent = float(state_dict["spent"])
