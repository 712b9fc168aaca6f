"""Predictions that are said to be wrong: ``/api/v1/flags``.

An annotator sees and changes flags of their own; engineers and admins see all, and answer them.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from waferscope.errors import ConflictError, RightsError
from waferscope.service.auth.identity import Annotator, Engineer, Identity
from waferscope.service.auth.roles import Role
from waferscope.service.db import Reads, Writes
from waferscope.service.flags import store
from waferscope.service.flags.schemas import FlagAnswer, FlagChange, FlagShown, NewFlag, Sought
from waferscope.service.idempotency import CallOnce
from waferscope.service.paging import Paging, page_of
from waferscope.service.schema import Page
from waferscope.service.selection.store import get_wafer
from waferscope.service.store import record
from waferscope.service.tables import Flag
from waferscope.service.tables.row import now

router = APIRouter(prefix="/flags", tags=["flags"])


@router.post("", status_code=201)
def create_flag(body: NewFlag, who: Annotator, session: Writes, once: CallOnce) -> FlagShown:
    """Say that a prediction is wrong."""
    wafer = get_wafer(session, body.wafer_id)
    prediction_id = store.find_prediction(session, wafer, body.prediction_id)
    flag = store.add_flag(
        session,
        Flag(
            wafer_id=wafer.id,
            prediction_id=prediction_id,
            user_id=who.user_id,
            label=body.label,
            note=body.note,
        ),
    )
    record(session, who, "flags.create", flag.id, wafer=wafer.id, prediction=prediction_id)
    return once.keep(FlagShown.model_validate(flag))


@router.get("")
def list_flags(
    who: Annotator, session: Reads, page: Paging, sought: Annotated[Sought, Query()]
) -> Page[FlagShown]:
    """List the flags, newest first: all of them for engineers, one's own for annotators."""
    own = _own_alone(who)
    if own is not None and sought.user_id not in {None, own}:
        raise RightsError("Expected flags of your own, got another user. Ask an engineer.")
    rows = store.list_flags(session, page, sought, own)
    return page_of(rows, page, lambda flag: [flag.id], FlagShown.model_validate)


@router.get("/{flag_id}")
def get_flag(flag_id: str, who: Annotator, session: Reads) -> FlagShown:
    """Show a flag."""
    return FlagShown.model_validate(store.get_flag(session, flag_id, _own_alone(who)))


@router.patch("/{flag_id}")
def change_flag(flag_id: str, body: FlagChange, who: Annotator, session: Writes) -> FlagShown:
    """Change a flag of one's own, as long as nobody has answered it."""
    flag = store.get_flag(session, flag_id, _own_alone(who), lock=True)
    _require_own(flag, who)
    _require_open(flag)
    given = body.model_dump(exclude_none=True)
    for name, value in given.items():
        setattr(flag, name, value)
    record(session, who, "flags.change", flag.id, **given)
    return FlagShown.model_validate(flag)


@router.delete("/{flag_id}", status_code=204)
def withdraw_flag(flag_id: str, who: Annotator, session: Writes) -> None:
    """Take back a flag of one's own, as long as nobody has answered it."""
    flag = store.get_flag(session, flag_id, _own_alone(who), lock=True)
    _require_own(flag, who)
    _require_open(flag)
    record(session, who, "flags.withdraw", flag.id, wafer=flag.wafer_id)
    store.delete_flag(session, flag)


@router.post("/{flag_id}/answer")
def answer_flag(flag_id: str, body: FlagAnswer, who: Engineer, session: Writes) -> FlagShown:
    """Close a flag: the prediction is wrong indeed (``confirmed``), or not (``dismissed``)."""
    flag = store.get_flag(session, flag_id, None, lock=True)
    _require_open(flag)
    flag.resolution, flag.answer = body.resolution, body.answer
    flag.closed_at, flag.closed_by = now(), who.user_id
    record(session, who, "flags.answer", flag.id, resolution=flag.resolution)
    return FlagShown.model_validate(flag)


def _own_alone(who: Identity) -> str | None:
    return None if who.role.covers(Role.ENGINEER) else who.user_id


def _require_own(flag: Flag, who: Identity) -> None:
    if flag.user_id != who.user_id:
        raise RightsError(
            f"Expected a flag of your own, got one that {flag.user_id} set. Answer it instead."
        )


def _require_open(flag: Flag) -> None:
    if flag.resolution:
        raise ConflictError(
            f"Expected an open flag, got one that is {flag.resolution}. Set a new one."
        )
