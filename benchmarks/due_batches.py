"""What a benchmark works on: batches of periods that are due, of accounts with nothing special."""

from collections.abc import Sequence
from typing import Any

BATCH = 500


def due_batch() -> list[Any]:
    """A batch of periods that are DUE, of new accounts that are ACTIVE."""
    from accounts.account_opening import NewAccount, draft_account
    from accounts.models import Account, AccountChange, Terms
    from rebilling.models import Rebilling, Run
    from tests.builders import NOW, TODAY, QueueInHand, a_plan, swept

    plan = a_plan()
    new = NewAccount(
        name="Customer", email="customer@example.com", plan=plan.code, payment_customer="cus_1", payment_method="pm_1"
    )
    drafts = [
        draft_account(new=new, plan=plan, today=TODAY, reason="opened", author="bench", now=NOW) for _ in range(BATCH)
    ]
    for draft in drafts:
        draft.account.status = Account.Status.ACTIVE
    Account.objects.bulk_create(draft.account for draft in drafts)
    Terms.objects.bulk_create(draft.terms for draft in drafts)
    AccountChange.objects.bulk_create(draft.opening(now=NOW) for draft in drafts)
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
