"""The staff's actions on ledger entries: reverse."""

from django.test import Client

from ledger.balances import balance
from ledger.models import Entry
from tests.integration.backoffice.action_requests import logged, messages_of, path_of, state
from tests.integration.backoffice.conftest import Billed
from tests.support.databases import rolled_back

pytestmark = rolled_back


class TestReverseEntry:
    def test_reverses_a_charge(self, operator: Client, billed_account: Billed) -> None:
        charge = billed_account.charge

        assert messages_of(operator, path_of(charge, "reverse"), {"reason": "wrong plan"}) == [
            "The entry was reversed."
        ]

        reversal = Entry.objects.get(reverses=charge)
        assert (reversal.amount_minor, reversal.description, reversal.created_by) == (
            199_900,
            "wrong plan",
            "staff:olga",
        )
        assert balance(account_id=billed_account.account.id) == -199_900
        assert logged() == [("olga", str(charge.id), "Reverse entry: wrong plan")]
        content = operator.get(path_of(charge, "change")).content.decode()
        assert path_of(reversal, "change") in content
        assert path_of(charge, "reverse") not in content

    def test_reversing_twice_is_refused(self, operator: Client, billed_account: Billed) -> None:
        charge = billed_account.charge
        operator.post(path_of(charge, "reverse"), {"reason": "wrong plan"})
        before = state()

        assert messages_of(operator, path_of(charge, "reverse"), {"reason": "again"}) == [
            f"The entry {charge.id} is already reversed."
        ]
        assert state() == before

    def test_a_payment_is_not_reversed(self, operator: Client, billed_account: Billed) -> None:
        before = state()
        (message,) = messages_of(operator, path_of(billed_account.payment_entry, "reverse"), {"reason": "no"})
        assert message == "A payment is not reversed: send or receive the money instead."
        assert state() == before
