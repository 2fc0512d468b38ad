"""`docs/states.md` and the code name the same states. That rows change as it says is held by `tests/functional`, by
`state_changes.py` and `test_each_change_of_state.py`."""

import re

import pytest
from django.db.models import TextChoices

from accounts.models import Account
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run
from tests.support.states_page import PAGE, changes, drawn, reachable

KINDS: dict[str, type[TextChoices]] = {
    "account": Account.Status,
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
        assert headings == list(KINDS)

    def test_ends_payments_and_refunds_that_are_known(self) -> None:
        assert not {"SUCCEEDED", "DECLINED"} & changes("payment").keys()
        assert not {"SUCCEEDED", "FAILED"} & changes("refund").keys()

    def test_never_lets_a_charged_period_be_charged_again(self) -> None:
        before_charge = set(map(str, Rebilling.BEFORE_CHARGE))
        for state in set(Rebilling.Status.values) - before_charge:
            assert not reachable("rebilling", state) & before_charge
