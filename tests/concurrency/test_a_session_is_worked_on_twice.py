"""Two workers open a payment method session, or find what its customer gave, at the same time; it is done once."""

import uuid
from functools import partial

from accounts.models import Account, AccountChange
from payments.gateways.sessions import SessionFinding, SessionOpened
from payments.models import PaymentMethodSession
from subscriptions.lifecycle import close_account
from tests.builders import NOW, TODAY, an_account
from tests.support.databases import committed
from tests.support.method_sessions import GivenMethods, given, opened_session, requested_session, worked_on
from tests.support.owing import owing
from tests.support.workers.threads import all_meet_before, threads

RECORDED = "payments.method_sessions.gateway_calls.record_answer"


def both_work_on(session_id: uuid.UUID, *gateways: GivenMethods) -> None:
    """All have their gateway's answer before the first of them records it."""
    with all_meet_before(RECORDED, parties=len(gateways)), threads() as start:
        works = [start(partial(worked_on, session_id, gateway=gateway)) for gateway in gateways]
        assert [work.result() for work in works] == [[]] * len(gateways)


def that_finds(found: SessionFinding) -> GivenMethods:
    gateway = GivenMethods()
    gateway.found_sessions = [found]
    return gateway


@committed
class TestASession:
    def test_is_opened_once(self) -> None:
        session = requested_session(an_account())
        answers = [SessionOpened(reference=f"r{n}", customer=f"c{n}", client_secret=f"s{n}") for n in range(3)]
        both_work_on(session.id, *(GivenMethods(opening=answer) for answer in answers))
        session.refresh_from_db()
        kept = (session.gateway_reference, session.customer, session.client_secret)
        assert kept in [(answer.reference, answer.customer, answer.client_secret) for answer in answers]

    def test_gives_its_payment_method_once_and_tries_it_once(self) -> None:
        account = owing()
        session = opened_session(account)
        both_work_on(session.id, *(that_finds(given(f"cus_{n}", f"pm_{n}")) for n in range(3)))
        session.refresh_from_db()
        account.refresh_from_db()
        assert session.status == "COMPLETED"
        assert (account.payment_customer, account.payment_method) == (session.customer, session.payment_method)
        assert AccountChange.objects.filter(after__has_key="payment_method").count() == 1
        assert list(account.payments.order_by("id").values_list("cause", "payment_method")) == [
            ("invoice", ""),
            ("payment_method", session.payment_method),
        ]

    def test_and_the_closing_of_its_account_come_one_after_the_other(self) -> None:
        for _ in range(5):
            account = owing(payment_customer="cus_1", payment_method="pm_1")
            session = opened_session(account)
            with threads() as start:
                closing = start(partial(closed, account))
                work = start(partial(worked_on, session.id, gateway=that_finds(given())))
                assert (closing.result().status, work.result()) == ("INACTIVE", [])
            session = PaymentMethodSession.objects.get(id=session.id)
            account.refresh_from_db()
            has = (session.status, session.failure_code, account.payment_method, account.payments.count())
            assert has in [("COMPLETED", "", "pm_new", 2), ("FAILED", "account_closed", "pm_1", 1)]


def closed(account: Account) -> Account:
    return close_account(account_id=account.id, reason="asked to", author="t", today=TODAY, now=NOW).account
