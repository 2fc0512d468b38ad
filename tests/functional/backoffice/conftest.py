"""People of the staff, logged in, and an account with something to see."""

import datetime
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client

from accounts.models import Account, Plan
from backoffice.models import User
from invoices.models import Invoice
from ledger.models import Entry, EntryType
from payments.models import Payment
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY, QueueInHand, a_plan, an_account, billed, swept
from tests.support.owing import invoices_of, owing_two_months


def logged_in(username: str, *, group: str = "", superuser: bool = False) -> Client:
    user = User.objects.create_user(username=username, is_staff=True, is_superuser=superuser)
    if group:
        user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def support(db: None) -> Client:
    return logged_in("sam", group="Support")


@pytest.fixture
def operator(db: None) -> Client:
    return logged_in("olga", group="Billing operators")


@pytest.fixture
def superuser(db: None) -> Client:
    return logged_in("root", superuser=True)


@pytest.fixture
def newcomer(db: None) -> Client:
    """On the staff, but in no group."""
    return logged_in("new")


@pytest.fixture
def new_year() -> Iterator[None]:
    """It is six in the morning of the first of January, and stays so."""
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def gold(db: None) -> Plan:
    return a_plan(code="gold")


LISTS = [
    "accounts/plan",
    "accounts/taxrate",
    "accounts/account",
    "accounts/accountchange",
    "invoices/invoice",
    "invoices/creditnote",
    "ledger/entry",
    "payments/payment",
    "payments/refund",
    "rebilling/run",
    "rebilling/rebilling",
    "api/apikey",
]


def page(client: Client, path: str) -> str:
    response = client.get(f"/admin/{path}")
    assert response.status_code == 200, (path, response.status_code)
    return response.content.decode()


def an_api_key() -> bytes:
    hashed = hashlib.sha256(b"sk_secret").digest()
    apps.get_model("api", "ApiKey").objects.create(
        name="Shop", prefix="sk_abcd", key_hash=hashed, scopes=["accounts:read"], created_at=NOW
    )
    return hashed


@dataclass(frozen=True)
class Billed:
    """An account that was charged 1,999.00 USD once, and paid it."""

    account: Account
    run: Run
    rebilling: Rebilling
    invoice: Invoice
    charge: Entry
    payment_entry: Entry
    payment: Payment


@pytest.fixture
def billed_account(db: None) -> Billed:
    account = an_account(
        plan=a_plan(code="gold", unit_amount_minor=199_900),
        name="Ada Lovelace",
        email="ada@engine.example",
        external_reference="ENGINE-1",
    )
    run = billed(as_of=TODAY)
    account.refresh_from_db()
    return Billed(
        account=account,
        run=run,
        rebilling=account.rebillings.get(),
        invoice=account.invoices.get(),
        charge=account.entries.get(type=EntryType.CHARGE),
        payment_entry=account.entries.get(type=EntryType.PAYMENT),
        payment=account.payments.get(),
    )


@dataclass(frozen=True)
class Owing:
    """An account that was charged 19.99 USD for January and for February, and paid neither."""

    account: Account
    january: Invoice
    february: Invoice


@pytest.fixture
def owing(db: None) -> Owing:
    account = owing_two_months(name="Charles Babbage")
    account.refresh_from_db()
    january, february = invoices_of(account)
    return Owing(account=account, january=january, february=february)


@pytest.fixture
def parked(db: None) -> Rebilling:
    """The first of 41 daily periods: so many due at once are parked."""
    start = TODAY - datetime.timedelta(days=40)
    account = an_account(plan=a_plan(interval_unit="day"), anchor_date=start, rebilling_date=start)
    billed(as_of=TODAY)
    return account.rebillings.get(status=Rebilling.Status.PARKED)


@pytest.fixture
def held_run(settings: Any, db: None) -> Run:
    """Two periods in yen, where the volume check passes one without history."""
    settings.VOLUME_CHECK_FIRST_PERIODS = 1
    plan = a_plan(currency="JPY", unit_amount_minor=500)
    for _ in range(2):
        an_account(plan=plan)
    run = swept(as_of=TODAY, queue=QueueInHand())
    assert run.status == Run.Status.HELD
    return run
