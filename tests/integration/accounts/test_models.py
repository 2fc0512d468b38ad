"""The database's rules for accounts and terms, each tried past the operations; nothing moves."""

import itertools
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.errors import violated_constraint
from accounts.models import Account, Terms
from tests.builders import a_plan, an_account
from tests.support.databases import rolled_back

pytestmark = rolled_back

STATUSES = ["PENDING", "ACTIVE", "PAST_DUE", "INACTIVE"]
MOVES = {
    *(("PENDING", "ACTIVE"), ("PENDING", "PAST_DUE"), ("PENDING", "INACTIVE")),
    *(("ACTIVE", "PAST_DUE"), ("ACTIVE", "INACTIVE"), ("PAST_DUE", "ACTIVE"), ("PAST_DUE", "INACTIVE")),
    *(("INACTIVE", "PENDING"), ("INACTIVE", "ACTIVE"), ("INACTIVE", "PAST_DUE")),
}


def refusal_of(statement: str, **given: Any) -> str:
    """The constraint that refuses the statement. Nothing of any account moved."""
    before = list(Account.objects.order_by("id").values())
    with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, given)
    assert list(Account.objects.order_by("id").values()) == before
    return violated_constraint(caught.value)


def an_account_in(status: str) -> Account:
    account = an_account()
    steps = {"PENDING": [], "ACTIVE": ["ACTIVE"], "PAST_DUE": ["PAST_DUE"], "INACTIVE": ["INACTIVE"]}
    for step in steps[status]:
        moved(account, step)
    return account


def moved(account: Account, status: str) -> None:
    reason = "closed" if status == "INACTIVE" else ""
    Account.objects.filter(id=account.id).update(status=status, inactive_reason=reason)


class TestStates:
    @pytest.mark.parametrize(("before", "after"), list(itertools.permutations(STATUSES, 2)))
    def test_change_only_as_the_page_of_states_has_it(self, before: str, after: str) -> None:
        account = an_account_in(before)
        reason = "closed" if after == "INACTIVE" else ""
        if (before, after) in MOVES:
            moved(account, after)
            assert Account.objects.get(id=account.id).status == after
            return
        statement = "UPDATE accounts_account SET status = %(status)s, inactive_reason = %(reason)s WHERE id = %(id)s"
        refusal = refusal_of(statement, status=after, reason=reason, id=str(account.id))
        assert refusal == "accounts_account_state"

    def test_are_no_others(self) -> None:
        account = an_account()
        statement = "UPDATE accounts_account SET status = %(status)s WHERE id = %(id)s"
        for status in ("active", "CLOSED", ""):
            assert refusal_of(statement, status=status, id=str(account.id)) == "accounts_account_state"

    def test_stay_as_they_are_where_the_same_is_written_again(self) -> None:
        account = an_account_in("PAST_DUE")
        moved(account, "PAST_DUE")
        assert Account.objects.get(id=account.id).status == "PAST_DUE"

    @pytest.mark.parametrize("status", STATUSES)
    def test_begin_as_anything_but_past_due(self, status: str) -> None:
        account = an_account()
        copy = Account.objects.get(id=account.id)
        copy.pk, copy.number_prefix, copy.status = None, "COPY", status
        copy.inactive_reason = "closed" if status == "INACTIVE" else ""
        copy.id = Account._meta.pk.get_default()
        if status == "PAST_DUE":
            with pytest.raises(IntegrityError) as caught, transaction.atomic():
                copy.save(force_insert=True)
            assert violated_constraint(caught.value) == "accounts_account_state"
            assert Account.objects.count() == 1
        else:
            copy.save(force_insert=True)
            assert Account.objects.count() == 2


class TestAccounts:
    @pytest.mark.parametrize(
        ("assignment", "constraint"),
        [
            ("status = 'ACTIVE', inactive_reason = 'closed'", "account_status_known"),
            ("status = 'INACTIVE', inactive_reason = ''", "account_status_known"),
            ("status = 'INACTIVE', inactive_reason = 'bored'", "account_status_known"),
            ("collection_method = 'by_hand'", "account_collection_method_known"),
            ("net_days = 366", "account_net_days_bounded"),
            ("anchor_date = first_rebilling_date + 1", "account_billed_from_its_anchor"),
            ("rebilling_date = first_rebilling_date - 1", "account_rebilling_date_not_before_first"),
        ],
    )
    def test_are_refused_what_makes_no_sense(self, assignment: str, constraint: str) -> None:
        an_account()
        assert refusal_of(f"UPDATE accounts_account SET {assignment}") == constraint

    def test_have_a_prefix_of_their_own(self) -> None:
        first, second = an_account(), an_account()
        second.id, second.number_prefix = Account._meta.pk.get_default(), first.number_prefix
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            second.save(force_insert=True)
        assert violated_constraint(caught.value) == "account_number_prefix_once"
        assert Account.objects.count() == 2

    def test_share_no_external_reference_while_they_are_open(self) -> None:
        first = an_account(external_reference="A1")
        second = an_account()
        statement = "UPDATE accounts_account SET external_reference = 'A1' WHERE id = %(id)s"
        assert refusal_of(statement, id=str(second.id)) == "account_external_reference_once"
        moved(first, "INACTIVE")
        Account.objects.filter(id=second.id).update(external_reference="A1")
        assert Account.objects.filter(external_reference="A1").count() == 2


class TestTerms:
    @pytest.mark.parametrize(
        ("values", "constraint"),
        [
            ({"quantity": 0}, "terms_quantity_positive"),
            ({"unit_amount_minor": -1}, "terms_amount_not_negative"),
            ({"quantity": 2, "unit_amount_minor": 2**62}, "terms_price_fits_64_bits"),
        ],
    )
    def test_are_refused_what_no_period_can_cost(self, values: dict[str, Any], constraint: str) -> None:
        account = an_account(plan=a_plan())
        terms = Terms.objects.get(account=account)
        for name, value in values.items():
            setattr(terms, name, value)
        terms.id = Terms._meta.pk.get_default()
        with pytest.raises(IntegrityError) as caught, transaction.atomic():
            terms.save(force_insert=True)
        assert violated_constraint(caught.value) == constraint
        assert Terms.objects.count() == 1
