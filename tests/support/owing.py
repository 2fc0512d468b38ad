"""An account that owes, and what it looks like when money comes."""

import datetime
from typing import Any

from django.test import override_settings

from accounts.models import Account
from payments.gateways.port import Declined
from payments.models import Payment
from rebilling.offline_payments import record_offline_payment
from tests.builders import NOW, TODAY, ScriptedGateway, an_account, billed

FEB_1 = datetime.date(2026, 2, 1)
MAR_1 = datetime.date(2026, 3, 1)
DECLINED = Declined(code="card_declined")


def owing_two_months(**terms: Any) -> Account:
    """1,999 for January and 1,999 for February, both declined, to be tried again in a year."""
    account = an_account(**terms)
    with override_settings(PAYMENT_RETRY_DAYS=[365]):
        for day in (TODAY, FEB_1):
            # Whoever else is billed that day is declined, too.
            billed(as_of=day, gateway=ScriptedGateway(*[DECLINED] * 100))
    return account


def received(account: Account, amount_minor: int = 500, **given: Any) -> Payment:
    """Money received offline."""
    given = {"reference": "SEPA 17", "reason": "by transfer", "author": "staff:anna"} | given
    return record_offline_payment(account_id=account.id, amount_minor=amount_minor, today=TODAY, now=NOW, **given)


def rows(account: Account) -> list[tuple[str, int, int]]:
    """The account's periods in order: status, from credit, paid."""
    return list(account.rebillings.order_by("period_start").values_list("status", "credit_minor", "paid_minor"))
