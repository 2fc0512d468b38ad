"""`docs/states.md`, the database's triggers and the code name the same states and changes. That each change is made by
the product's own operations is held by `tests/functional/test_each_change_of_state.py`."""

import re

import pytest
from django.db.models import TextChoices

from accounts.models import Account
from invoices.models import Invoice
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run
from tests.support.databases import rolled_back
from tests.support.state_triggers import TABLES, allowed
from tests.support.states_page import PAGE, changes, drawn, reachable

KINDS: dict[str, type[TextChoices]] = {
    "account": Account.Status,
    "invoice": Invoice.Status,
    "rebilling": Rebilling.Status,
    "payment": Payment.Status,
    "refund": Refund.Status,
    "run": Run.Status,
}


class TestStatesPage:
    @pytest.mark.parametrize("kind", KINDS)
    def test_names_the_states_of_the_code_and_no_others(self, kind: str) -> None:
        named = {state for start, ends in changes(kind).items() for state in (start, *ends)}
        assert named - {""} == set(KINDS[kind].values)

    @pytest.mark.parametrize("kind", KINDS)
    def test_draws_what_its_tables_say(self, kind: str) -> None:
        assert drawn(kind) == changes(kind)

    @pytest.mark.parametrize("kind", KINDS)
    def test_leads_from_a_beginning_to_every_state(self, kind: str) -> None:
        assert changes(kind)[""]
        assert reachable(kind, "") == {"", *KINDS[kind].values}

    def test_has_a_table_for_each_kind_of_row_and_for_no_other(self) -> None:
        headings = re.findall(r"^## ([a-z]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == list(KINDS) == list(TABLES)

    def test_ends_payments_and_refunds_that_are_known(self) -> None:
        assert not {"SUCCEEDED", "DECLINED"} & changes("payment").keys()
        assert not {"SUCCEEDED", "FAILED"} & changes("refund").keys()

    def test_ends_periods_that_are_skipped_or_voided(self) -> None:
        assert not {"SKIPPED", "VOIDED"} & changes("rebilling").keys()

    def test_never_lets_a_charged_period_be_charged_again(self) -> None:
        for state in ("CHARGED", "VOIDED", "SKIPPED"):
            assert not reachable("rebilling", state) & {"DUE", "PARKED"}


@rolled_back
class TestTriggers:
    @pytest.mark.parametrize("kind", KINDS)
    def test_allow_what_the_page_says_and_nothing_else(self, kind: str) -> None:
        assert allowed(kind) == changes(kind)
