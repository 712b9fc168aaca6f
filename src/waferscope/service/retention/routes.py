"""How long wafers are kept: ``/api/v1/retention``, for admins."""

from __future__ import annotations

from fastapi import APIRouter

from waferscope.service.auth.identity import Admin
from waferscope.service.db import Reads, Writes
from waferscope.service.retention import store
from waferscope.service.retention.schemas import NewRule, RuleShown
from waferscope.service.store import keep, record

router = APIRouter(prefix="/retention", tags=["retention"])


@router.get("")
def list_rules(who: Admin, session: Reads) -> list[RuleShown]:
    """List the rules, by product."""
    return [RuleShown.model_validate(rule) for rule in store.list_rules(session)]


@router.put("")
def set_rule(body: NewRule, who: Admin, session: Writes) -> RuleShown:
    """Set how long the wafers of a product are kept. Where no rule holds, it is for ever."""
    rule = store.set_rule(session, who.user_id, body.product, body.days)
    keep(session, "Expected one rule to be set at a time for a product, got two. Try again.")
    record(session, who, "retention.set", rule.id, product=rule.product, days=rule.days)
    return RuleShown.model_validate(rule)


@router.delete("/{rule_id}", status_code=204)
def delete_rule(rule_id: str, who: Admin, session: Writes) -> None:
    """Delete a rule; what it has deleted stays deleted."""
    rule = store.delete_rule(session, rule_id)
    record(session, who, "retention.delete", rule_id, product=rule.product, days=rule.days)
