import uuid

import pytest

from accounts.locked_accounts import UnknownAccount
from papers import statement_paper as module
from papers.statement_paper import UnableToState, statement_paper
from tests.builders import TODAY
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, owing_two_months
from tests.support.unchanged import nothing_moves

pytestmark = rolled_back


class TestStatementPaper:
    def test_begins_with_what_was_owed_before_and_ends_with_what_is_owed_then(self) -> None:
        account = owing_two_months()
        paper = statement_paper(account_id=account.id, since=FEB_1, until=FEB_1)
        number = account.invoices.get(issued_on=FEB_1).number
        (section,) = paper.sections
        assert section.rows == (("1 Feb 2026", f"Invoice {number}", "19.99 USD", "39.98 USD"),)
        assert paper.totals == (
            ("Balance before", "19.99 USD"),
            ("Invoice", "19.99 USD"),
            ("Balance at the end", "39.98 USD"),
        )
        assert (paper.heading, paper.dated_on) == ("Statement", FEB_1)

    def test_of_too_many_entries_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        account = owing_two_months()
        monkeypatch.setattr(module, "MAX_ENTRIES", 1)
        with nothing_moves(), pytest.raises(UnableToState, match="More than 1 entries"):
            statement_paper(account_id=account.id, since=TODAY, until=FEB_1)
        assert statement_paper(account_id=account.id, since=FEB_1, until=FEB_1).sections

    def test_needs_an_account(self) -> None:
        with nothing_moves(), pytest.raises(UnknownAccount):
            statement_paper(account_id=uuid.uuid4(), since=TODAY, until=TODAY)
