"""Which call to the gateway comes next for a payment or a refund: a pure function of what was called when."""

import datetime
from enum import Enum, auto

from payments.gateways.port import KEY_KEPT

SUBMIT_AGAIN_WITHIN = KEY_KEPT - datetime.timedelta(hours=1)
"""From the first call on, how long the request may be submitted again. Well within the time that the gateway keeps its
key: a delivery takes time, and clocks differ."""

GIVE_UP_AFTER = KEY_KEPT
"""From the first call on, when a request that the gateway can't find counts as never received. Not sooner: a call made
within `SUBMIT_AGAIN_WITHIN` that timed out may arrive after a look-up that found nothing."""


class Step(Enum):
    SUBMIT = auto()
    LOOK_UP = auto()
    """Too late to submit it again, too soon to give up."""
    LOOK_UP_THEN_SUBMIT = auto()
    """Submitted only where the look-up finds nothing."""
    LOOK_UP_THEN_GIVE_UP = auto()
    """Where the look-up finds nothing, the request was never received."""


def next_step(
    *, first_called_at: datetime.datetime | None, now: datetime.datetime, unknown: bool, may_send: bool = True
) -> Step:
    """The step for a request that the gateway was first called for at `first_called_at`; None: never yet.

    `unknown`: its outcome is UNKNOWN, so that it is looked up before it is submitted again. One that may not be sent
    any more was called for before, and is only looked up.
    """
    if may_send and (first_called_at is None or now < first_called_at + SUBMIT_AGAIN_WITHIN):
        return Step.LOOK_UP_THEN_SUBMIT if unknown else Step.SUBMIT
    is_too_soon = first_called_at is None or now < first_called_at + GIVE_UP_AFTER
    return Step.LOOK_UP if is_too_soon else Step.LOOK_UP_THEN_GIVE_UP
