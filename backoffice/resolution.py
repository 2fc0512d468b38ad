"""Marks refused payments and refunds as resolved: their money was moved after all, or they failed by our own fault."""

from typing import Any

from backoffice.actions import Action, Caller
from payments.models import Payment, Refund
from payments.outcomes import MOVED_AFTER_ALL
from payments.reviews import mark_resolved


def _mark_resolved(row: Payment | Refund, data: dict[str, Any], caller: Caller) -> None:
    mark_resolved(row=row, reason=data["reason"], author=caller.author)


def mark_resolved_action(*, permission: str, moved: str, not_moved: str) -> Action:
    """The action for the page of a payment or a refund.

    `moved` says what a person does first where the money was moved after all, `not_moved` where it wasn't.
    """

    def explanation(row: Payment | Refund) -> str:
        if row.review_reason.startswith(MOVED_AFTER_ALL):
            return (
                f"The gateway moved this money although the recorded outcome says that it didn't. {moved} Then mark it "
                "as resolved here: it no longer needs attention, and nothing else changes."
            )
        return f"No money was moved: {row.review_reason}. {not_moved}, then mark this as resolved."

    return Action(
        name="mark-resolved",
        label="Mark as resolved",
        explanation=explanation,
        done="Marked as resolved.",
        permission=permission,
        offered=lambda row: row.needs_review and row.status not in Payment.IN_FLIGHT,
        perform=_mark_resolved,
    )
