"""`docs/states.md`, the database's triggers and the code name the same states and changes. That each change is made by
the product's own operations is held by `tests/functional/test_each_change_of_state.py`."""

import ast
import re

import pytest
from django.db.models import TextChoices

from accounts.models import Account
from invoices.models import Invoice
from payments.models import Payment, PaymentMethodSession, Refund
from rebilling.models import Rebilling, Run
from tests.support.databases import rolled_back
from tests.support.project_files import all_files, modules, text_of, tree_of
from tests.support.state_triggers import TABLES, allowed
from tests.support.states_page import PAGE, changes, drawn, reachable

KINDS: dict[str, type[TextChoices]] = {
    "account": Account.Status,
    "invoice": Invoice.Status,
    "rebilling": Rebilling.Status,
    "payment": Payment.Status,
    "refund": Refund.Status,
    "session": PaymentMethodSession.Status,
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


STATES_ARE_SET_BY = {
    # Accounts: `become`, and the statement that saves it. An import drafts accounts that are INACTIVE.
    "accounts/locked_accounts.py",
    "accounts/sql/save_accounts.sql",
    "subscriptions/imports/rows.py",
    # Invoices: by their amounts, saved.
    "invoices/sql/save_invoices.sql",
    # Payments and refunds: by their outcomes.
    "payments/sql/write_outcomes.sql",
    # Sessions: by what the gateway answered.
    "payments/method_sessions/outcomes.py",
    # Billing periods. Those that a sweep finds too many of begin PARKED.
    "rebilling/period_states.py",
    "rebilling/period_rows.py",
    "rebilling/sql/move_to_charged.sql",
    "rebilling/sql/park.sql",
    # Runs. A reconciliation carries its run's.
    "rebilling/run_states.py",
    "rebilling/reconciliation/reconcile.py",
}

IN_SQL = re.compile(r"\bSET\b(?:(?!\b(?:FROM|WHERE|RETURNING)\b)[^;])*?\bstatus = ")


class TestStates:
    def test_are_set_in_one_place_for_each_kind_of_row(self) -> None:
        domain = ("accounts", "ledger", "invoices", "payments", "rebilling", "subscriptions", "api", "backoffice")
        setting = {str(path) for path in modules(*domain) if sets_a_status(tree_of(path))}
        statements = [path for path in all_files() if path.suffix == ".sql" and path.parent.name == "sql"]
        product = [path for path in statements if path.parts[0] in domain]
        setting |= {str(path) for path in product if IN_SQL.search(text_of(path))}
        assert setting == STATES_ARE_SET_BY

    @pytest.mark.parametrize(
        ("code", "found"),
        [
            ("run.status = Run.Status.HELD", True),
            ("row.status, row.reason = DUE, ''", True),
            ("rows.filter(id=1).update(status=HELD)", True),
            ("run.status: str = HELD", True),
            ("rows.update(**changes)", False),
            ("rows.filter(status=HELD)", False),
            ("status = row.status", False),
        ],
    )
    def test_are_looked_for_in_the_code(self, code: str, found: bool) -> None:
        assert sets_a_status(ast.parse(code)) is found


def sets_a_status(tree: ast.AST) -> bool:
    """Whether the code assigns to a `status` attribute, or updates rows' statuses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            assigned = node.targets if isinstance(node, ast.Assign) else [node.target]
            targets = [part for target in assigned for part in ast.walk(target)]
            if any(isinstance(part, ast.Attribute) and part.attr == "status" for part in targets):
                return True
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            given = {keyword.arg for keyword in node.keywords}
            if node.func.attr == "update" and "status" in given:
                return True
    return False
