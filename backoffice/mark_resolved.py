"""Marks payments and refunds as resolved whose money the gateway moved although they had been refused."""

from typing import Any

from backoffice.actions import Action, Caller
from payments.models import Payment, Refund
from rebilling.reviews import mark_resolved


def _mark_resolved(row: Payment | Refund, data: dict[str, Any], caller: Caller) -> None:
    mark_resolved(row=row, reason=data["reason"])


def mark_resolved_action(*, permission: str, how: str) -> Action:
    """The action for the page of a payment or a refund; `how` says what a person does first."""
    return Action(
        name="mark-resolved",
        label="Mark as resolved",
        explanation=f"The gateway moved this money although the recorded outcome says that it didn't. {how} Then mark "
        "it as resolved here: it no longer needs review, and nothing else changes.",
        done="Marked as resolved.",
        permission=permission,
        offered=lambda row: row.needs_review and row.status not in Payment.IN_FLIGHT,
        perform=_mark_resolved,
    )
