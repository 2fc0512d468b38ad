"""Requests for changes of a subscription's life by API, and what the account looks like after them."""

import datetime
from typing import Any

import time_machine

from accounts.models import Account
from tests.builders import TODAY, an_account, at, billed
from tests.support.api_client import ApiClient

WHY = {"reason": "The customer asked."}
JAN_10, JAN_20 = datetime.date(2026, 1, 10), datetime.date(2026, 1, 20)
DAY = datetime.timedelta(days=1)


def asked(api: ApiClient, account: Account, call: str, *, on: datetime.date = TODAY, **body: Any) -> Any:
    """The answer to the call, on that day."""
    given = {name: str(value) if isinstance(value, datetime.date) else value for name, value in body.items()}
    with time_machine.travel(at(on), tick=False):
        once = f"{call} {on} {body}" if given.get("refund", "none") != "none" else None
        return api.post(f"/v1/accounts/{account.id}/{call}", WHY | given, once=once)


def shown(response: Any) -> dict[str, Any]:
    """The account in the answer."""
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def status_of(account: Account) -> tuple[str, str]:
    """Its status, and why it is INACTIVE."""
    account.refresh_from_db()
    return account.status, account.inactive_reason


def starts(account: Account) -> list[tuple[datetime.date, datetime.date, str]]:
    """Its periods in order: first day, the day after the last, status."""
    found = account.rebillings.order_by("period_start", "id")
    return list(found.values_list("period_start", "ended_on", "status"))


def paid_account(**given: Any) -> Account:
    """1,999 for January, paid."""
    account = an_account(**given)
    billed(as_of=TODAY)
    return account
