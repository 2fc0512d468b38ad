"""A sign-up is killed at each seam: there is no account, or one that is invoiced and collected once."""

from collections.abc import Iterator

import pytest
from django.utils import timezone

from accounts.billing_day import billing_day
from accounts.models import Account
from invoices.models import Invoice
from payments.models import Authentication, Payment
from rebilling.models import Rebilling, Run
from tests.builders import a_plan
from tests.support.databases import committed
from tests.support.owing import rows, state_of
from tests.support.workers.processes import Seam, Workers, workers_on_a_queue

KILLED = -9

SIGN_UP = """
from django.utils import timezone
from accounts.account_opening import NewAccount
from accounts.billing_day import billing_day
from subscriptions.sign_up import sign_up
now = timezone.now()
new = NewAccount(name="Ada", email="ada@example.com", plan="pro", external_reference="acme-1", on_decline="close")
sign_up(new=new, author="key:tests", today=billing_day(now), now=now)
"""

BEFORE_COMMIT = [
    Seam("subscriptions.sign_up.open_account"),
    Seam("rebilling.on_demand_billing.lock_run_of_the_day"),
    Seam("rebilling.on_demand_billing.write_rows"),
    Seam("rebilling.invoice_periods.mark_charged"),
    Seam("rebilling.invoice_periods.issue_invoices"),
    Seam("rebilling.invoice_periods.save_accounts"),
    Seam("subscriptions.sign_up.bill_today"),
    Seam("subscriptions.sign_up.allow_authentication"),
    Seam("subscriptions.sign_up.send_payments_when_committed"),
]
AFTER_COMMIT = [
    (Seam("payments.messages.dispatch._try_to_send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send", "before"), 0),
    (Seam("payments.messages.queue.SqsQueue.send"), 1),
]
"""The seam, and how many messages carry the payment by then."""


@pytest.fixture(scope="module")
def module_workers(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    # No waiting: what is left over is sent at once.
    settings = {"REBILLING_RESEND_MINUTES": "0"}
    with workers_on_a_queue(tmp_path_factory.mktemp("workers"), settings) as workers:
        yield workers


@pytest.fixture
def workers(workers: Workers, transactional_db: None) -> Workers:
    a_plan(code="pro")
    return workers


def sign_up(workers: Workers, *, seam: Seam | None) -> None:
    ended = workers.run("shell", "--no-imports", "-c", SIGN_UP, seam=seam)
    assert ended == (KILLED if seam else 0), workers.log.read_text()[-2000:]


def assert_billed_once(workers: Workers) -> None:
    """Whatever sweeps and checks the day still has."""
    today = billing_day(timezone.now())
    for command in (("reconcile",), ("sweep", "--as-of", today.isoformat()), ("reconcile",)):
        assert workers.run(*command) == 0
        if waiting := workers.queue.visible:
            assert workers.run("process_queue", "--max-messages", str(waiting)) == 0
    assert workers.queue.on_its_way == 0
    account, payment = Account.objects.get(), Payment.objects.get()
    assert workers.book.taken == {str(payment.id): 1999}
    assert (rows(account), state_of(account)) == ([("PAID", 0, 1999)], ("ACTIVE", 0, 0))
    assert account.on_decline == "dun"
    assert list(Rebilling.objects.values_list("period_start", "status", "run__kind")) == [
        (today, "CHARGED", "on_demand")
    ]
    assert not Authentication.objects.exists()


@committed
@pytest.mark.fault
class TestASignUpIsCutOff:
    @pytest.mark.parametrize("seam", BEFORE_COMMIT, ids=str)
    def test_before_it_is_committed_leaves_nothing_and_may_be_repeated(self, workers: Workers, seam: Seam) -> None:
        sign_up(workers, seam=seam)
        for model in (Account, Invoice, Payment, Rebilling, Run, Authentication):
            assert not model._default_manager.exists()
        assert workers.queue.on_its_way == 0
        sign_up(workers, seam=None)
        assert_billed_once(workers)

    @pytest.mark.parametrize(("seam", "messages"), AFTER_COMMIT, ids=str)
    def test_once_it_is_committed_is_collected_by_its_message_or_by_reconcile(
        self, workers: Workers, seam: Seam, messages: int
    ) -> None:
        sign_up(workers, seam=seam)
        account = Account.objects.get()
        assert (account.status, rows(account)) == ("PENDING", [("OPEN", 0, 0)])
        assert (Payment.objects.get().status, workers.queue.on_its_way) == ("SUBMITTED", messages)
        assert_billed_once(workers)
