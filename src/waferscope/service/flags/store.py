"""The SQL of flags."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from waferscope.errors import NotFoundError
from waferscope.service.flags.schemas import Sought
from waferscope.service.ids import new_id
from waferscope.service.paging import Place
from waferscope.service.selection.store import is_live
from waferscope.service.store import newest_first
from waferscope.service.tables import Flag, Prediction, Wafer


def find_prediction(session: Session, wafer: Wafer, prediction_id: str | None) -> str:
    """Return the id of a stored prediction of the wafer, the last one unless another is named.

    Raises NotFoundError when there is none.
    """
    wanted = prediction_id or wafer.prediction_id
    query = select(Prediction.id).where(Prediction.id == wanted, Prediction.wafer_id == wafer.id)
    found = session.scalar(query) if wanted else None
    if found is None:
        raise NotFoundError(
            f"Expected a stored prediction of wafer {wafer.id!r}, got {wanted or 'none'!r}. "
            "Predict the wafer first, or name one of its predictions."
        )
    return found


def add_flag(session: Session, flag: Flag) -> Flag:
    """Add a flag."""
    flag.id = new_id("flag")
    session.add(flag)
    session.flush()
    return flag


def get_flag(session: Session, flag_id: str, setter: str | None, *, lock: bool = False) -> Flag:
    """Return a flag; with ``setter``, only if that user set it. Raises NotFoundError.

    ``lock`` keeps others from answering it until the end of the transaction.
    """
    query = _set_by(setter).where(Flag.id == flag_id)
    found = session.scalar(query.with_for_update(of=Flag) if lock else query)
    if found is None:
        raise NotFoundError(f"Expected the id of a flag, got {flag_id!r}. Look into the list.")
    return found


def list_flags(
    session: Session, place: Place, sought: Sought, setter: str | None = None
) -> list[Flag]:
    """Return one flag more than the page has room for, newest first."""
    query = _set_by(setter)
    for column, value in (
        (Flag.user_id, sought.user_id),
        (Flag.wafer_id, sought.wafer_id),
        (Flag.label, sought.label),
        (Flag.resolution, "" if sought.state == "open" else sought.state),
    ):
        if value is not None:
            query = query.where(column == value)
    return list(session.scalars(newest_first(query, Flag.id, place)))


def delete_flag(session: Session, flag: Flag) -> None:
    """Remove a flag."""
    session.delete(flag)
    session.flush()


def _set_by(user_id: str | None) -> Select[Flag]:
    query = select(Flag).where(is_live(Flag.wafer_id))
    return query if user_id is None else query.where(Flag.user_id == user_id)
