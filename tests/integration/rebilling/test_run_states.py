"""A run once it is RECONCILED, by SQL as the application role."""

import pytest

from tests.support.databases import rolled_back
from tests.support.forgeries import Sound, attempt, names, sound_accounts
from tests.support.unchanged import nothing_moves


@pytest.fixture
def sound(db: None) -> Sound:
    return sound_accounts()


@rolled_back
class TestReconciledRun:
    @pytest.mark.parametrize(
        "change",
        [
            "figures = '{}'",
            "figures = figures",
            "held_because = 'it was large'",
            "decided_at = now(), decision = 'forged'",
            "swept_at = now()",
            "passed_at = now()",
            "reconciled_at = now()",
            "status = 'OPEN', reconciled_at = NULL, figures = '{}'",
            "status = 'OPEN', reconciled_at = NULL, passed_at = now()",
        ],
    )
    def test_refuses_every_change_but_to_be_opened_again(self, sound: Sound, change: str) -> None:
        with nothing_moves():
            assert attempt(f"UPDATE rebilling_run SET {change}") == "rebilling_run_stays_as_reconciled"

    @pytest.mark.parametrize("column", ["id", "kind", "as_of", "started_at", "usual"])
    def test_keeps_what_it_began_as(self, sound: Sound, column: str) -> None:
        assert attempt(f"UPDATE rebilling_run SET {column} = {column}") == "no privilege"

    @pytest.mark.parametrize(
        "figures", ["{}", "[]", "7", '{"periods": [], "payments": {}}', '{"periods": [{"outcome": "charged"}]}']
    )
    def test_is_reported_with_figures_that_were_forged_while_it_was_open_again(
        self, sound: Sound, figures: str
    ) -> None:
        """What the database can't refuse: the run is opened, its figures are written, and it is closed again."""
        assert attempt("UPDATE rebilling_run SET status = 'OPEN', reconciled_at = NULL") == ""
        closed = f"UPDATE rebilling_run SET status = 'RECONCILED', reconciled_at = now(), figures = '{figures}'"
        assert attempt(closed) == ""
        assert names() == {"finished_run_changed"}
