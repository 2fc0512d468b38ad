"""What a benchmark works on: batches of periods that are due."""

import uuid
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

from benchmarks.account_copies import copy_account

BATCH = 500


def due_batch() -> list[Any]:
    """A batch of periods that are DUE, of new accounts that are ACTIVE, with nothing special."""
    from tests.builders import a_plan, many_accounts

    many_accounts(BATCH, plan=a_plan(), payment_customer="cus_1", payment_method="pm_1")
    return _found_due()


def special_batch() -> list[Any]:
    """A batch of which each account has a discount, tax, a one-off item and credit, which is less than the invoice."""
    from accounts.models import Account
    from invoices.credits import grant_credit
    from subscriptions.discounts import give_discount
    from tests.builders import NOW, TODAY, a_plan, an_account
    from tests.support.items import added

    account = an_account(plan=a_plan(), tax_rate=_vat(), payment_customer="cus_1", payment_method="pm_1")
    signed: dict[str, Any] = {"account_id": account.id, "reason": "agreed", "author": "bench", "now": NOW}
    give_discount(**signed, percent=Decimal(10), today=TODAY)
    added(account, 500)
    grant_credit(**signed, amount_minor=300, today=TODAY)
    Account.objects.filter(id=account.id).update(status=Account.Status.ACTIVE)
    copy_account(account.id, copies=BATCH - 1)
    return _found_due()


@cache
def _vat() -> uuid.UUID:
    from accounts.tax_rates import create_tax_rate
    from tests.builders import NOW

    return create_tax_rate(name="VAT", percent=Decimal(20), now=NOW).id


def _found_due() -> list[Any]:
    from rebilling.models import Rebilling, Run
    from tests.builders import TODAY, QueueInHand, swept

    run = swept(as_of=TODAY, queue=QueueInHand())
    assert run.status == Run.Status.OPEN
    return list(Rebilling.objects.filter(run=run).order_by("account_id"))


def message_of(rebillings: Sequence[Any]) -> str:
    """The message that a sweep makes of them."""
    from tests.builders import a_message

    return a_message(run=rebillings[0].run, rebillings=rebillings)


class AnswersAtOnce:
    """The gateway that the payments are recorded for, without a log line for each."""

    name = "logging"

    def submit(self, request: Any, *, timeout_seconds: float) -> Any:
        from payments.gateways.port import Succeeded

        return Succeeded.of(request, reference=f"logged-{request.key}")

    def look_up(self, request: Any, *, timeout_seconds: float) -> Any:
        raise NotImplementedError

    open_session = look_up_session = end_session = look_up
