"""Previews: nothing is kept of them, and what only they may do is refused anywhere else."""

import pytest
from django.db import transaction

from accounts.locked_accounts import lock_account
from accounts.previews import kept_unless, preview
from rebilling.next_invoice import charge_next
from tests.builders import TODAY, a_plan, an_account, at
from tests.support.databases import rolled_back
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


class TestPreview:
    def test_keeps_nothing_and_what_is_around_it_goes_on(self) -> None:
        with transaction.atomic():
            kept = a_plan()
            with nothing_moves(), preview():
                a_plan()
            kept.refresh_from_db()

    def test_keeps_nothing_where_it_is_left_early(self) -> None:
        def leave() -> str:
            with preview():
                return a_plan().code

        with nothing_moves():
            assert leave()

    def test_keeps_nothing_where_something_is_raised(self) -> None:
        def refuse() -> None:
            with preview():
                a_plan()
                raise ValueError("refused")

        with nothing_moves(), pytest.raises(ValueError, match="refused"):
            refuse()

    def test_sends_nothing(self, django_capture_on_commit_callbacks: object) -> None:
        sent: list[str] = []
        with django_capture_on_commit_callbacks(execute=True), preview():  # type: ignore[operator]  # pytest-django's
            transaction.on_commit(lambda: sent.append("a message"))
        assert sent == []

    def test_that_is_over_lets_nobody_charge_what_no_run_let_through(self) -> None:
        account = an_account()
        with preview() as made:
            assert charge_next(made, account=lock_account(account.id), gateway="logging", day=TODAY, now=at(TODAY))
        with nothing_moves(), pytest.raises(RuntimeError, match="this preview is over"):
            charge_next(made, account=lock_account(account.id), gateway="logging", day=TODAY, now=at(TODAY))


class TestKeptUnless:
    def test_a_dry_run_all_is_kept(self) -> None:
        with kept_unless(dry_run=False):
            kept = a_plan()
        kept.refresh_from_db()

    def test_a_dry_run_keeps_nothing(self) -> None:
        with nothing_moves(), kept_unless(dry_run=True):
            a_plan()
