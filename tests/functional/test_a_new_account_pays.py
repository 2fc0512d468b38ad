"""A PENDING account becomes ACTIVE once its first invoice is paid, and by nothing less."""

from invoices.credit_notes import issue_credit_note
from payments.gateways.port import Declined, Unknown
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import invoices_of, received, state_of


@rolled_back
class TestPendingAccount:
    def test_stays_so_after_a_part(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        received(account, 100, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("PENDING", 1899, 0)

    def test_becomes_active_with_the_whole(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Unknown(reason="timed out")))
        received(account, 1999, invoice_id=invoices_of(account)[0].id)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_that_pays_ahead_waits_for_the_invoice(self) -> None:
        account = an_account()
        received(account, 1999)
        assert state_of(account) == ("PENDING", 0, 1999)
        billed(as_of=TODAY)
        assert state_of(account) == ("ACTIVE", 0, 0)

    def test_becomes_active_when_it_paid_a_part_and_the_rest_is_credited(self) -> None:
        account = an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(Declined(code="never_received")))
        (invoice,) = invoices_of(account)
        received(account, 500, invoice_id=invoice.id)
        assert state_of(account) == ("PENDING", 1499, 0)
        issue_credit_note(
            invoice_id=invoice.id, amount_minor=1499, reason="an outage", author="ann", today=TODAY, now=NOW
        )
        assert (state_of(account), invoices_of(account)[0].status) == (("ACTIVE", 0, 0), "PAID")
