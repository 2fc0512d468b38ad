"""The first page: what waits for a person, with the way to it, and how the last runs went."""

import datetime
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.ids import new_id
from backoffice import work_list
from payments.gateways.port import Unknown
from payments.models import Payment
from rebilling.books import check_books
from rebilling.models import BooksCheck, Rebilling
from rebilling.reconciliation.reconcile import reconcile
from tests.builders import NOW, TODAY, QueueInHand, ScriptedGateway, a_plan, an_account, billed, swept
from tests.functional.backoffice.conftest import Billed, page
from tests.support.databases import rolled_back
from tests.support.refunds import paid, requested, sent

pytestmark = [rolled_back, pytest.mark.usefixtures("new_year")]

IN_DOUBT = Unknown(reason="another amount", needs_review=True)


def waiting(client: Client) -> list[tuple[str, str]]:
    """What waits, and how old the oldest is, as the page has them."""
    content = page(client, "")
    table = content[content.index(">Waits for a person<") :].partition("</fieldset>")[0]
    return re.findall(r"<tr><td>(.+?)</td><td>(.+?)</td>", table)


def followed(client: Client) -> str:
    """The list that the first row leads to."""
    (what, _), *_ = waiting(client)
    found = re.search('href="/admin/([^"]+)"', what)
    assert found, what
    return page(client, found[1].replace("&amp;", "&"))


def parked_periods(number: int) -> list[Rebilling]:
    start = TODAY - datetime.timedelta(days=40)
    for _ in range(number):
        an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
    swept(as_of=TODAY, queue=QueueInHand())
    return list(Rebilling.objects.filter(status="PARKED"))


class TestWhatWaits:
    def test_is_said_to_be_nothing(self, support: Client, billed_account: Billed) -> None:
        assert waiting(support) == []
        assert "Nothing waits for a person." in page(support, "")

    def test_a_parked_period_leads_to_its_list(self, support: Client) -> None:
        (parked,) = parked_periods(1)
        ((what, oldest),) = waiting(support)
        assert ">1 parked period</a>" in what
        assert oldest.endswith("old")
        assert str(parked.id) in followed(support)

    def test_a_held_run_leads_to_its_list(self, support: Client, settings: Any) -> None:
        settings.VOLUME_CHECK_FIRST_PERIODS = 1
        for _ in range(2):
            an_account()
        run = swept(as_of=TODAY, queue=QueueInHand())
        assert run.status == "HELD"
        ((what, _),) = waiting(support)
        assert ">1 held run</a>" in what
        assert str(run.id) in followed(support)

    def test_a_payment_in_doubt_leads_to_its_list(self, support: Client) -> None:
        an_account()
        billed(as_of=TODAY, gateway=ScriptedGateway(IN_DOUBT))
        ((what, _),) = waiting(support)
        assert ">1 payment that needs attention</a>" in what
        assert str(Payment.objects.get().id) in followed(support)

    def test_a_refund_in_doubt_leads_to_its_list(self, support: Client) -> None:
        refund = requested(paid())
        sent(refund, gateway=ScriptedGateway(refunds=[IN_DOUBT]))
        ((what, _),) = waiting(support)
        assert ">1 refund that needs attention</a>" in what
        assert str(refund.id) in followed(support)

    def test_says_how_old_the_oldest_is(self, support: Client) -> None:
        for parked, days in zip(parked_periods(2), (3, 2), strict=True):
            Rebilling.objects.filter(id=parked.id).update(due_since=NOW - datetime.timedelta(days=days))
        ((what, oldest),) = waiting(support)
        assert (">2 parked periods</a>" in what, oldest) == (True, "3\xa0days old")

    def test_is_counted_no_further_than_it_matters(self, support: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(work_list, "MAX_COUNTED", 2)
        parked_periods(3)
        ((what, _),) = waiting(support)
        assert ">More than 2 parked periods</a>" in what

    def test_is_not_shown_to_whoever_may_not_see_it(self, newcomer: Client) -> None:
        parked_periods(1)
        content = page(newcomer, "")
        assert "parked" not in content
        assert "The last runs" not in content

    def test_a_discrepancy_is_named_until_all_books_are_clean(self, support: Client) -> None:
        def checked(number: int, *, hour: int, whole: bool) -> None:
            at = NOW + datetime.timedelta(hours=hour)
            BooksCheck.objects.create(id=new_id(), started_at=at, watermark=at, whole=whole, discrepancies=number)

        checked(2, hour=-5, whole=True)
        checked(0, hour=-4, whole=False)
        ((what, oldest),) = waiting(support)
        assert (what, oldest) == ("2 discrepancies in the books", "5\xa0hours old")
        checked(0, hour=-3, whole=True)
        assert waiting(support) == []
        checked(1, hour=-2, whole=False)
        assert [what for what, _ in waiting(support)] == ["1 discrepancy in the books"]

    def test_a_first_check_is_enough(self, support: Client) -> None:
        check_books(now=NOW)
        assert waiting(support) == []


class TestTheLastRuns:
    def test_are_there_with_their_reconciliations(self, support: Client, billed_account: Billed) -> None:
        reconcile(runs=[billed_account.run], now=NOW + datetime.timedelta(hours=1))
        content = page(support, "")
        table = content[content.index(">The last runs<") :].partition("</fieldset>")[0]
        assert f'/admin/rebilling/run/{billed_account.run.id}/change/">' in table
        assert ("<td>Clean: due = charged + skipped + parked.</td><td>1</td><td>1</td><td>1,999.00 USD</td>") in table

    def test_are_none_at_first(self, support: Client) -> None:
        assert "None yet: the first sweep makes one." in page(support, "")


class TestItsCost:
    def test_does_not_grow_with_what_waits(self, support: Client) -> None:
        numbers = []
        for _ in range(2):
            parked_periods(1)
            page(support, "")
            with CaptureQueriesContext(connection) as captured:
                page(support, "")
            numbers.append(len(captured))
        assert numbers[0] == numbers[1]
