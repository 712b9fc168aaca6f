"""Jobs to be done by a worker: asked for here, in the transaction of whoever asks.

The web process only writes down what is to be done (DBOS, in the database of the records) and
never runs it: `jobs` does, in processes of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from dbos import DBOSClient, DBOSPortableJSONSerializer, EnqueueOptions
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from waferscope.service.db import Records, translated
from waferscope.service.ids import new_id

APPLICATION: Final = "waferscope"
VERSION: Final = "1"
"""Workers finish the jobs of their own version: raise it when steps change their meaning."""
Line = Literal["batches", "errands"]
LINES: Final[tuple[Line, ...]] = ("batches", "errands")
"""Two queues: long work of one job per core, and short errands such as webhooks."""
LOWEST: Final = 10

Word = str | int | float | bool | None


@dataclass(frozen=True)
class Job:
    """What is to be done: the name of a job of `jobs.catalogue`, its words, and when.

    ``priority`` runs from 1, first, to 10.
    """

    name: str
    words: tuple[Word, ...] = ()
    line: Line = "errands"
    priority: int = LOWEST
    delay_seconds: float = 0
    id: str = ""


class JobQueue:
    """Where jobs are asked for, looked at and cancelled."""

    def __init__(self, records: Records) -> None:
        self._records: Final = records

    @cached_property
    def _client(self) -> DBOSClient:
        return _open_client(self._records.write_engine)

    @cached_property
    def _onlooker(self) -> DBOSClient:
        """A client that only looks: on SQLite it does not wait for whoever writes."""
        return _open_client(self._records.engine)

    def ask(self, session: Session, job: Job) -> str:
        """Ask for a job; it begins after the commit, or not at all. Return its id."""
        job_id = job.id or new_id("job")
        options: EnqueueOptions = {
            "workflow_name": job.name,
            "queue_name": job.line,
            "workflow_id": job_id,
            "priority": job.priority,
            "app_version": VERSION,
        }
        if job.delay_seconds:
            options["delay_seconds"] = job.delay_seconds
        self._client.enqueue_in_transaction(session, options, *job.words)
        return job_id

    def cancel(self, job_id: str) -> None:
        """Stop a job at its next step; one that waits never begins."""
        with translated():
            self._client.cancel_workflow(job_id)

    def state(self, job_id: str) -> str | None:
        """Return ENQUEUED, PENDING, SUCCESS, ERROR, CANCELLED or the like; None if not known."""
        with translated():
            found = self._onlooker.list_workflows(
                workflow_ids=[job_id], load_input=False, load_output=False
            )
        return found[0].status if found else None

    def close(self) -> None:
        """Let go of the client; its connections are those of the records."""
        for name in ("_client", "_onlooker"):
            if name in self.__dict__:
                self.__dict__[name].destroy()


def _open_client(engine: Engine) -> DBOSClient:
    return DBOSClient(
        system_database_engine=engine,
        serializer=DBOSPortableJSONSerializer(),
        application_name=APPLICATION,
        lazy=True,
        retry_connection_errors=False,  # a request is to be told, not kept waiting
    )
