"""What the database never lets a commit have, the check of the books reports by name all the same, and nothing else.

Deferred rules are looked at before they speak; the trigger against overlaps is switched off by the owner.
"""

from collections.abc import Callable, Iterator

import pytest
from django.db import IntegrityError, connections, transaction

from accounts.errors import violated_constraint
from rebilling.models import Rebilling
from tests.support.databases import committed, rolled_back
from tests.support.forgeries import ANEW, Sound, attempt, copied, execute, names, sound_accounts


@pytest.fixture
def sound(db: None) -> Sound:
    return sound_accounts()


def a_payment_without_entry(sound: Sound) -> None:
    """For no invoice, so that no invoice is without its money."""
    statement = copied(
        "payments_payment", id=ANEW, invoice_id="NULL", cause="'offline'", gateway="'offline'",
        gateway_reference="'SEPA 1'",
    )  # fmt: skip
    execute(statement, id=sound.payment.id)


def a_refund_without_entry(sound: Sound) -> None:
    """Of credit, so that no invoice is without its credit note."""
    execute(
        """
        INSERT INTO payments_refund (id, account_id, payment_id, source, amount_minor, currency, status, reason,
            failure_code, needs_review, review_reason, resolution, resolved_by, gateway, gateway_reference,
            submitted_at, completed_at, created_by)
        SELECT gen_random_uuid(), account_id, id, 'balance', 500, currency, 'SUCCEEDED', 'r', '', false, '', '', '',
            gateway, 'forged', submitted_at, completed_at, 'forger'
        FROM payments_payment WHERE id = %(id)s
        """,
        id=sound.payment.id,
    )
    execute("UPDATE payments_payment SET refunded_minor = 500 WHERE id = %(id)s", id=sound.payment.id)


def an_entry_of_no_payment(sound: Sound) -> None:
    """As much credit as it says, so that the balance is as the books have it."""
    execute(
        copied("ledger_entry", id=ANEW, idempotency_key="'forged'", payment_id=ANEW, invoice_id="NULL"),
        id=sound.account.entries.get(type="payment").id,
    )
    execute("UPDATE accounts_account SET credit_balance_minor = 1999 WHERE id = %(id)s", id=sound.account.id)


@rolled_back
class TestBeforeTheDeferredRulesSpeak:
    def forge_and_look(self, sound: Sound, forge: Callable[[Sound], None], reported: str) -> None:
        forge(sound)
        assert names() == {reported}
        execute("SET CONSTRAINTS ALL IMMEDIATE")

    @pytest.mark.parametrize(
        ("forge", "reported", "rule"),
        [
            (a_payment_without_entry, "payment_without_entry", "payment_has_its_entry"),
            (a_refund_without_entry, "refund_without_entry", "refund_has_its_entry"),
            (an_entry_of_no_payment, "entry_without_cause", "entry_as_its_payment"),
        ],
    )
    def test_is_reported_and_then_refused(
        self, sound: Sound, forge: Callable[[Sound], None], reported: str, rule: str
    ) -> None:
        with pytest.raises(IntegrityError) as refused, transaction.atomic():
            self.forge_and_look(sound, forge, reported)
        assert violated_constraint(refused.value) == rule
        assert names() == set()


@rolled_back
class TestAPeriodLineThatNoRuleRefuses:
    def test_is_reported(self, sound: Sound) -> None:
        """For nothing, so that its invoice and its entries are as they were."""
        statement = copied(
            "invoices_invoiceline", id=ANEW, position="2", discount_minor="quantity * unit_amount_minor",
            amount_minor="0", total_minor="0",
        )  # fmt: skip
        assert attempt(statement, id=sound.line.id) == ""
        assert names() == {"period_with_two_lines"}


@pytest.fixture
def no_trigger(transactional_db: None) -> Iterator[None]:
    name = "rebilling_rebilling_overlaps_none"
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE rebilling_rebilling DISABLE TRIGGER {name}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE rebilling_rebilling ENABLE TRIGGER {name}")


@committed
class TestWithoutTheTriggerAgainstOverlaps:
    def test_a_period_that_overlaps_is_reported(self, no_trigger: None) -> None:
        sound = sound_accounts()
        # Open again, so that its figures aren't compared.
        execute("UPDATE rebilling_run SET status = 'OPEN', reconciled_at = NULL")
        statement = copied(
            "rebilling_rebilling", id=ANEW, status="'DUE'", invoice_id="NULL", period_start="period_start + 1"
        )
        assert attempt(statement, id=sound.rebilling.id) == ""
        assert (names(), Rebilling.objects.count()) == ({"overlapping_periods"}, 3)
