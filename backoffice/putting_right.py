"""Payments and refunds settled as refused, of which the gateway moved the money after all."""

from typing import Any

from backoffice.actions import Act, Action
from payments.models import Payment, Refund
from rebilling.resolving import put_right


def _put_right(row: Payment | Refund, said: dict[str, Any], act: Act) -> None:
    put_right(row=row, reason=said["reason"])


def put_right_action(*, permission: str, how: str) -> Action:
    """The action for either's page; `how` says what a person does before."""
    return Action(
        name="put-right",
        label="It is put right",
        explanation=f"The gateway moved this money although it was settled that it had not. {how} Then say so here: "
        "the mark goes, and nothing else changes.",
        done="It is put right.",
        permission=permission,
        offered=lambda row: row.needs_person and row.status not in Payment.IN_FLIGHT,
        perform=_put_right,
    )
