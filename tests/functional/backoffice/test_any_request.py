"""Requests of any kind to any path of the admin, by anybody: none is answered with a failure of the server."""

import re
import uuid
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.test import Client
from django.urls import URLPattern
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tax_rates import create_tax_rate
from backoffice.models import User
from tests.builders import NOW
from tests.functional.backoffice.conftest import Billed, an_api_key
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

pytestmark = rolled_back

EXAMPLES = 150
PEOPLE = ["superuser", "operator", "support", "newcomer", "nobody"]
LOOKUPS = [
    "exact", "iexact", "contains", "icontains", "regex", "startswith", "gt", "lte", "in", "range", "isnull", "year",
    "month", "day", "week", "week_day", "iso_year", "date", "time", "hour", "len", "has_key", "nonsense",
]  # fmt: skip
PARAMETERS = [
    "o", "p", "q", "all", "e", "_facets", "_popup", "_to_field", "_changelist_filters", "next", "term", "page",
    "app_label", "model_name", "field_name",
]  # fmt: skip
FORM = [
    "action", "index", "_selected_action", "select_across", "_save", "_continue", "_addanother", "_saveasnew", "post",
    "submission", "invoice", "what", "source", "line_1", "is_another",
    "email", "plan", "quantity", "unit_price", "anchor_date", "rebilling_date", "billing", "percent", "periods",
    "until", "country", "language", "tax_rate", "net_days", "external_reference", "on_decline",
    "amount", "reason", "reference", "username", "password1", "password2", "old_password",
    "new_password1", "new_password2", "usable_password", "groups", "permissions", "user_permissions", "is_active",
    "date_joined_0", "date_joined_1", "last_login_0", "last_login_1", "id", "name", "next", "_popup", "_to_field",
]  # fmt: skip
FILLED = {
    "reason": "as was agreed", "amount": "1.00", "what": "amount", "source": "payment",
    "reference": "SEPA 17", "submission": str(uuid.UUID(int=7)),
    "username": "kit", "password1": "correct horse battery", "password2": "correct horse battery", "name": "Nights",
    "usable_password": "true", "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "06:00:00",
    "last_login_0": "2026-01-01", "last_login_1": "06:00:00", "post": "yes",
    "email": "ada@engine.example", "plan": "gold", "quantity": "1", "billing": "now", "percent": "5",
    "collection_method": "automatic", "net_days": "30", "on_decline": "dun",
}  # fmt: skip
VALUES = [
    "", "\0", "x\0y", "x", "0", "1", "-1", "1.-1.99", "9" * 30, "9" * 5000, "99999", "2026-01-01", "0000-00-00", "NaN",
    "\ud800", "\u202e", "é", "'", "%", "_00", "__", "a/b", "//x", "..", "[", "(", "\r\n", "True", "None", "ACTIVE",
    "id", "pk", "account", "plan", "ledger", "entry", "plan__id__exact=x", "http://[", "x" * 3000,
    "all", "lines", "balance",
]  # fmt: skip
"""Right somewhere, or odd: what a person, a browser or a scanner may send."""
Rows = dict[type[models.Model], str]
Sent = tuple[str, str, str | None]
"""A path below /admin/, a query, and the body of what is posted."""
values = st.sampled_from(["\0", "99999", "x"]) | st.sampled_from(VALUES) | st.text(max_size=20)
"""Those first that have broken a page, so that few examples are enough to find the like."""


def _shapes(urls: Iterable[Any], *, base: str = "") -> list[str]:
    """The paths that these patterns take, with `<...>` for each part that varies."""
    return [
        f"{base}{url.pattern}" for url in urls if isinstance(url, URLPattern) and not str(url.pattern).startswith("^")
    ]


def _base(model: type[models.Model]) -> str:
    """The path of its list."""
    return f"{model._meta.app_label}/{model._meta.model_name}/"


OF_MODELS = {
    model: _shapes(admin.site.get_model_admin(model).get_urls(), base=_base(model)) for model in admin.site._registry
}
OF_SITE = [
    *(shape for shape in _shapes(admin.site.get_urls()) if not shape.startswith("(")),
    *{f"{model._meta.app_label}/" for model in OF_MODELS},
    # Django's own, where rows have pages outside the admin.
    "r/<kind>/<id>/",
    "<nothing>",
]


def lookups_of(model: type[models.Model]) -> st.SearchStrategy[str]:
    """Fields of the model, and those one step away, with lookups that may or may not make sense of them."""
    fields = []
    for field in model._meta.get_fields():
        fields.append(field.name)
        if isinstance(field.related_model, type):
            fields += [f"{field.name}__{other.name}" for other in field.related_model._meta.get_fields()]
    looked_up = st.builds(lambda field, lookup: f"{field}__{lookup}", st.sampled_from(fields), st.sampled_from(LOOKUPS))
    return st.sampled_from(fields) | looked_up


def filters_of(model: type[models.Model]) -> st.SearchStrategy[str]:
    """What its list is filtered by, and near misses."""
    fields = [str(field) for field in admin.site.get_model_admin(model).list_filter] or ["id"]
    ends = st.sampled_from(["", "__exact", "__id__exact", "__gte", "__lt", "__isnull"])
    return st.builds(str.__add__, st.sampled_from(fields), ends)


def pairs(names: st.SearchStrategy[str], also: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    encoded = partial(urlencode, errors="surrogatepass")
    return st.lists(st.tuples(names, values | also), max_size=2).map(encoded)


def bodies(also: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    """Nothing posted; fields of any kind; or a form that is filled in, but for what is odd in it."""
    odd = st.dictionaries(st.sampled_from(FORM), values | also, max_size=2)
    filled = odd.map(lambda odd: urlencode(FILLED | odd, errors="surrogatepass"))
    return st.none() | pairs(st.sampled_from(FORM) | values, also) | filled


def of_lists(rows: Rows) -> st.SearchStrategy[Sent]:
    """Lists of rows, with queries that filter them, or look as if they did."""
    ids = st.sampled_from([*rows.values()])

    def of(model: type[models.Model]) -> st.SearchStrategy[Sent]:
        known = filters_of(model) | st.sampled_from(PARAMETERS)
        query = pairs(known, also=ids) | pairs(known | lookups_of(model) | values, also=ids)
        return st.tuples(st.just(_base(model)), query, st.none())

    return st.sampled_from(list(OF_MODELS)).flatmap(of)


@st.composite
def of_pages(draw: st.DrawFn, rows: Rows) -> Sent:
    """Everything about rows of one kind, looked at or sent."""
    model = draw(st.sampled_from(list(OF_MODELS)))
    own, anybodys = st.just(rows[model]), st.sampled_from([*rows.values()])
    path = _filled(draw, draw(st.sampled_from(OF_MODELS[model])), own | own | anybodys | values)
    return path, draw(pairs(st.sampled_from(PARAMETERS) | values, also=anybodys)), draw(bodies(anybodys))


@st.composite
def of_the_site(draw: st.DrawFn, rows: Rows) -> Sent:
    """What is there once, and what isn't there at all."""
    anybodys = st.sampled_from([*rows.values()])
    kinds = st.sampled_from([str(kind.id) for kind in ContentType.objects.get_for_models(*rows).values()])
    path = _filled(draw, draw(st.sampled_from(OF_SITE)), kinds | anybodys | values)
    return path, draw(pairs(st.sampled_from(PARAMETERS) | values, also=anybodys)), draw(bodies(anybodys))


def _filled(draw: st.DrawFn, shape: str, parts: st.SearchStrategy[str]) -> str:
    return re.sub(r"<[^>]+>", lambda _: quote(draw(parts), errors="surrogatepass"), shape)


@pytest.fixture
def rows(billed_account: Billed) -> Rows:
    """A row of each kind that has pages, by its id."""
    an_api_key()
    create_tax_rate(name="VAT", percent=Decimal(20), now=NOW)
    refunded(billed_account.payment, 100)
    User.objects.create_user(username="kim", is_staff=True)
    assert Group.objects.exists()
    return {model: str(model._default_manager.all()[0].pk) for model in OF_MODELS}


@pytest.mark.parametrize("person", PEOPLE)
class TestAnyRequest:
    def test_of_a_list_is_answered(self, cookies: SimpleCookie, rows: Rows) -> None:
        _try(of_lists(rows), cookies)

    def test_of_a_page_is_answered(self, cookies: SimpleCookie, rows: Rows) -> None:
        _try(of_pages(rows), cookies)

    def test_of_the_site_is_answered(self, cookies: SimpleCookie, rows: Rows) -> None:
        _try(of_the_site(rows), cookies)


@pytest.fixture
def cookies(request: pytest.FixtureRequest, person: str) -> SimpleCookie:
    if person == "nobody":
        return SimpleCookie()
    client: Client = request.getfixturevalue(person)
    return client.cookies


def _try(sent: st.SearchStrategy[Sent], cookies: SimpleCookie) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(sent=sent)
    def attempt(sent: Sent) -> None:
        path, query, body = sent
        client = Client()
        client.cookies.load(cookies)
        with transaction.atomic():
            status = _answer(client, f"/admin/{path}?{query}", body)
            # What a request has changed is not the next one's to find.
            transaction.set_rollback(True)
        assert status < 500

    attempt()


def _answer(client: Client, url: str, body: str | None) -> int:
    if body is None:
        return client.get(url).status_code
    return client.post(url, body, content_type="application/x-www-form-urlencoded").status_code
