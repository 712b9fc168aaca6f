"""Creating calls that may be repeated: ``Idempotency-Key`` gives the first answer again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from waferscope.service import store
from waferscope.service.auth.identity import Viewer
from waferscope.service.db import Writes

Kept = TypeVar("Kept", bound=BaseModel)
JSON: Final = "application/json"


class AnsweredBefore(Exception):  # noqa: N818 - not an error: it carries the answer out
    """The call was answered before; here is the answer."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


@dataclass(frozen=True)
class Once:
    """The key of this call, if it has one."""

    session: Session
    user_id: str
    key: str

    def keep(self, answer: Kept, *secret: str, status: int = 201) -> Kept:
        """Keep the answer for repetitions of the call, in the same transaction; return it.

        Fields named ``secret`` are answered this once: a repetition gets null in their place.
        """
        if self.key:
            body = answer.model_copy(update=dict.fromkeys(secret)).model_dump_json()
            store.keep_answer(self.session, self.user_id, self.key, status, body)
        return answer


async def _once(
    request: Request,
    who: Viewer,
    session: Writes,
    key: Annotated[
        str,
        Header(
            alias="Idempotency-Key",
            max_length=200,
            description="any text; a repeated call under it gets the first answer, for a day",
        ),
    ] = "",
) -> Once:
    if key:
        line = f"{request.method} {request.url.path}?{request.url.query}".encode()
        print_ = store.fingerprint(line, await _body(request))
        found = await run_in_threadpool(store.claim_answer, session, who.user_id, key, print_)
        if found is not None:
            raise AnsweredBefore(found.status, found.body)
    return Once(session, who.user_id, key)


async def _body(request: Request) -> bytes:
    if request.headers.get("Content-Type", "").startswith("multipart/"):
        # The form is parsed already; its length stands for it, and the key for the rest.
        return request.headers.get("Content-Length", "").encode()
    return await request.body()


async def answer_again(_request: Request, error: Exception) -> Response:
    """Return the answer that was given before."""
    assert isinstance(error, AnsweredBefore)
    headers = {"Idempotent-Replayed": "true"}
    return Response(error.body, error.status, headers, media_type=JSON)


CallOnce = Annotated[Once, Depends(_once, scope="function")]
"""``once: CallOnce`` in a creating route; answer with ``once.keep(answer)``."""
