"""Changes of terms, as a worker process carries them out: each says in a file whether it was done."""

import datetime
import json
import uuid
from pathlib import Path
from typing import Any

from django.utils import timezone

from accounts.account_opening import NewAccount
from accounts.billing_day import billing_day
from accounts.errors import OperationError
from subscriptions.agreed_terms import TermsChanges
from subscriptions.sign_up import sign_up
from subscriptions.terms_changes import change_terms
from subscriptions.terms_withdrawals import withdraw_terms
from tests.support.workers.processes import Meeting, Seam, Worker, Workers

DONE = "done"


def start(
    workers: Workers, *, order: dict[str, Any], meeting: Meeting | None = None, seam: Seam | None = None
) -> Worker:
    """Starts a process that does what the order says: `change` or `withdraw`."""
    code = f"from tests.support.workers.terms_orders import carry_out; carry_out({json.dumps(json.dumps(order))})"
    return workers.start("shell", "--no-imports", "-c", code, meeting=meeting, seam=seam)


def start_sign_up(workers: Workers, *, plan: str, reference: str) -> Worker:
    code = f"from tests.support.workers.terms_orders import open_and_bill; open_and_bill({plan!r}, {reference!r})"
    return workers.start("shell", "--no-imports", "-c", code)


def carry_out(order: str) -> None:
    """In the worker: writes `done`, or the code of the refusal."""
    said = json.loads(order)
    signed: dict[str, Any] = {"reason": "raced", "author": "key:tests", "now": timezone.now()}
    signed |= {"account_id": uuid.UUID(said["account"]), "today": billing_day(signed["now"])}
    try:
        if terms := said.get("withdraw"):
            withdraw_terms(terms_id=uuid.UUID(terms), **signed)
        else:
            change_terms(changes=TermsChanges(**said["to"]), effective=_day(said["effective"]), **signed)
        outcome = DONE
    except OperationError as refusal:
        outcome = refusal.code
    Path(said["answer"]).write_text(outcome)


def _day(effective: str) -> Any:
    return effective if effective in {"now", "period_end"} else datetime.date.fromisoformat(effective)


def open_and_bill(plan: str, reference: str) -> None:
    """In the worker: signs an account up, whose first invoice is to be collected by a message."""
    now = timezone.now()
    new = NewAccount(name="Ada", email="ada@example.com", plan=plan, external_reference=reference)
    sign_up(new=new, author="key:tests", today=billing_day(now), now=now)
