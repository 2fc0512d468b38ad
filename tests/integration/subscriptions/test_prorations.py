"""Changes within a period that is taxed or has a discount."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.tax_rates import create_tax_rate
from payments.account_updates import update_account
from subscriptions.discounts import give_discount
from subscriptions.prorations import ChangeNotProrated
from tests.builders import NOW, TODAY, a_plan, an_account, billed
from tests.support.databases import rolled_back
from tests.support.owing import FEB_1, invoices_of
from tests.support.terms import billed_account, changed
from tests.support.unchanged import nothing_moves

SIGNED: dict[str, Any] = {"reason": "r", "author": "bo", "now": NOW}

pytestmark = rolled_back


@pytest.mark.parametrize("what", ["taxed", "taxed from now on", "discounted"])
def test_are_refused_for_now_and_left_for_the_next_period(what: str) -> None:
    rate = create_tax_rate(name="VAT", percent=Decimal(21), now=NOW)
    if what == "discounted":
        account = an_account(plan=a_plan(unit_amount_minor=3100))
        give_discount(account_id=account.id, percent=Decimal(10), today=TODAY, **SIGNED)
        billed(as_of=TODAY)
    else:
        account = billed_account(tax_rate=rate.id if what == "taxed" else None)
        update_account(account_id=account.id, changes={"tax_rate": rate.id}, **SIGNED)
    with nothing_moves(), pytest.raises(ChangeNotProrated):
        changed(account, quantity=2)
    changed(account, quantity=2, how={"proration": "none"})
    billed(as_of=FEB_1)
    assert invoices_of(account)[-1].lines.get().quantity == 2
