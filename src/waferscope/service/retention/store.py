"""The SQL of retention: rules, wafers that are due, and what is left when they are purged.

For the worker: `retire` deletes what the rules say, so that it can still be restored; `purge`
removes what was deleted long enough ago and returns the blobs, which are to be deleted after the
commit. A crash between both leaves blobs that nobody names, which `waferscope admin check` finds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, select, update
from sqlalchemy.orm import Session

from waferscope.domain.retention import Cutoff, cutoffs
from waferscope.errors import NotFoundError
from waferscope.service.ids import new_id
from waferscope.service.tables import Prediction, RetentionRule, Upload, UploadWafer, Wafer
from waferscope.service.tables.row import now

AT_A_TIME: Final = 500
"""Wafers of one transaction of the worker."""


def list_rules(session: Session) -> list[RetentionRule]:
    """Return every rule, by product; there are few of them."""
    return list(session.scalars(select(RetentionRule).order_by(RetentionRule.product)))


def set_rule(session: Session, user_id: str, product: str, days: int) -> RetentionRule:
    """Make the rule of a product, or replace it."""
    wanted = select(RetentionRule).where(RetentionRule.product == product).with_for_update()
    rule = session.scalar(wanted)
    if rule is None:
        rule = RetentionRule(id=new_id("rule"), product=product, created_at=now())
        session.add(rule)
    rule.days, rule.user_id = days, user_id
    return rule


def delete_rule(session: Session, rule_id: str) -> RetentionRule:
    """Delete a rule and return it. Raises NotFoundError."""
    rule = session.get(RetentionRule, rule_id)
    if rule is None:
        raise NotFoundError(f"Expected the id of a rule, got {rule_id!r:.60}. Look into the list.")
    session.execute(delete(RetentionRule).where(RetentionRule.id == rule_id))
    return rule


def retire(session: Session, at: datetime) -> list[str]:
    """Delete wafers that are due, some at a time; return their ids. They can be restored."""
    rules = {rule.product: rule.days for rule in list_rules(session)}
    retired: list[str] = []
    for cutoff in cutoffs(rules, at):
        room = AT_A_TIME - len(retired)
        due = select(Wafer.id).where(Wafer.deleted_at.is_(None), _is_due(cutoff))
        held = due.order_by(Wafer.id).limit(room).with_for_update(skip_locked=True)
        retired += session.scalars(held) if room else []
    session.execute(update(Wafer).where(Wafer.id.in_(retired)).values(deleted_at=at))
    return retired


def purge(session: Session, at: datetime, days: int) -> list[str]:
    """Remove wafers deleted more than ``days`` ago, some at a time; return blobs to delete.

    Their predictions, labels, flags and causes go with them, and a file when none of its wafers
    is left.
    """
    long_ago = Wafer.deleted_at < at - timedelta(days=days)
    query = select(Wafer.id, Wafer.blob, Wafer.upload_id).where(long_ago).order_by(Wafer.id)
    gone = session.execute(query.limit(AT_A_TIME).with_for_update(skip_locked=True)).all()
    ids = [row.id for row in gone]
    blobs = [row.blob for row in gone]
    blobs += session.scalars(select(Prediction.blob).where(Prediction.wafer_id.in_(ids)))
    held = select(UploadWafer.upload_id).where(UploadWafer.wafer_id.in_(ids))
    uploads = {*session.scalars(held), *(row.upload_id for row in gone if row.upload_id)}
    session.execute(delete(Wafer).where(Wafer.id.in_(ids)))
    return [blob for blob in [*blobs, *_purge_uploads(session, sorted(uploads))] if blob]


def _is_due(cutoff: Cutoff) -> ColumnElement[bool]:
    mine = (
        Wafer.product == cutoff.product
        if cutoff.product is not None
        else Wafer.product.not_in(cutoff.but)
    )
    return and_(mine, Wafer.arrived_at < cutoff.before)


def _purge_uploads(session: Session, ids: Sequence[str]) -> list[str]:
    used = select(UploadWafer.wafer_id).where(UploadWafer.upload_id == Upload.id).exists()
    origin = select(Wafer.id).where(Wafer.upload_id == Upload.id).exists()
    query = select(Upload.id, Upload.blob).where(Upload.id.in_(ids), ~used, ~origin)
    empty = session.execute(query).all()
    session.execute(delete(Upload).where(Upload.id.in_([row.id for row in empty])))
    return [row.blob for row in empty]
