"""How lists may be filtered: by the filters that they show, by what links lead there, and by nothing else."""

import re
from html import unescape
from urllib.parse import parse_qsl, urlencode

import pytest
from django.contrib import admin
from django.test import Client

from tests.builders import a_plan, an_account
from tests.functional.backoffice.conftest import Billed, an_api_key, page
from tests.support.databases import rolled_back
from tests.support.refunds import refunded

pytestmark = rolled_back

SHOWN = {
    "accounts/plan": {"retired__exact", "currency", "interval_unit__exact"},
    "accounts/taxrate": {"inclusive__exact"},
    "accounts/account": {
        *("status__exact", "inactive_reason__exact", "collection_method__exact", "plan"),
        *("closed_with_credit", "unbilled_debt"),
        *("rebilling_date__gte", "rebilling_date__lt", "created_at__gte", "created_at__lt"),
    },
    "accounts/accountchange": {"changed_at__gte", "changed_at__lt"},
    "invoices/invoice": {
        *("status__exact", "collection_method__exact", "uncollected"),
        *("issued_on__gte", "issued_on__lt", "due_on__gte", "due_on__lt", "run"),
    },
    "invoices/creditnote": {"issued_on__gte", "issued_on__lt"},
    "ledger/entry": {"type__exact", "effective_on__gte", "effective_on__lt", "run"},
    "payments/payment": {
        *("status__exact", "needs_review__exact", "cause__exact", "gateway"),
        *("submitted_at__gte", "submitted_at__lt", "run"),
    },
    "payments/refund": {
        *("status__exact", "needs_review__exact", "source__exact", "gateway"),
        *("submitted_at__gte", "submitted_at__lt", "run"),
    },
    "rebilling/run": {"status__exact", "kind__exact", "as_of__gte", "as_of__lt"},
    "rebilling/rebilling": {"status__exact", "reason__exact", "period_start__gte", "period_start__lt", "run"},
    "api/apikey": set(),
    "auth/group": set(),
    "backoffice/user": {
        "is_staff__exact",
        "is_superuser__exact",
        "is_active__exact",
        "groups__id__exact",
        "groups__isnull",
    },
}
"""What each list's own links filter it by."""
LINKED = {
    "accounts/account": {"dunning_on__lte"},
    "accounts/accountchange": {"account__id__exact"},
    "invoices/invoice": {"account__id__exact"},
    "invoices/creditnote": {"account__id__exact", "invoice__id__exact"},
    "ledger/entry": {"account__id__exact", "invoice_id__exact"},
    "payments/payment": {"account__id__exact", "invoice__id__exact"},
    "payments/refund": {"account__id__exact", "payment__invoice__id__exact"},
    "rebilling/rebilling": {"account__id__exact"},
}
"""What links of other pages filter it by."""
LOOKUPS = ["exact", "startswith", "regex", "gt", "in", "isnull", "year"]
ODD = ["", "x", "-1", "9" * 30, "\0", "0000-00-00", "99999-01-01", "NaN", "'", "None"]


@pytest.fixture(autouse=True)
def _rows(billed_account: Billed) -> None:
    """Something in each list, and of the plans two, as one is no filter."""
    an_account(plan=a_plan(code="silver"))
    refunded(billed_account.payment, 100)
    an_api_key()


def lookups_of(path: str) -> list[str]:
    """Look-ups of the model's own fields, and of those that it refers to."""
    (model,) = [model for model in admin.site._registry if model._meta.label_lower == path.replace("/", ".")]
    found = []
    for field in model._meta.get_fields():
        found += [field.name, f"{field.name}__id__exact", *(f"{field.name}__{lookup}" for lookup in LOOKUPS)]
        if isinstance(field.related_model, type):
            found += [f"{field.name}__{other.name}__startswith" for other in field.related_model._meta.get_fields()]
    return found


def test_every_list_is_here() -> None:
    assert {model._meta.label_lower.replace(".", "/") for model in admin.site._registry} == set(SHOWN)


@pytest.mark.parametrize("path", SHOWN)
class TestFilters:
    def test_that_a_list_shows_are_taken(self, superuser: Client, path: str) -> None:
        queries = [unescape(query) for query in re.findall(r'href="\?([^"]+)"', page(superuser, f"{path}/"))]
        names = {name for query in queries for name, _ in parse_qsl(query, keep_blank_values=True)}
        assert names - {"o", "_facets"} == SHOWN[path]
        for query in queries:
            page(superuser, f"{path}/?{query}")

    def test_of_another_kind_are_refused_and_show_nothing(self, superuser: Client, path: str) -> None:
        taken = SHOWN[path] | LINKED.get(path, set())
        for name in lookups_of(path):
            # The same filter, written differently.
            if name in taken or name.removesuffix("__isnull") in [known.split("__")[0] for known in SHOWN[path]]:
                continue
            response = superuser.get(f"/admin/{path}/", {name: "1"})
            assert (name, response.status_code) == (name, 400)
            assert "field-" not in response.content.decode()

    def test_with_odd_values_find_nothing_or_are_left_out(self, superuser: Client, path: str) -> None:
        for name in sorted(SHOWN[path] | LINKED.get(path, set())):
            for value in ODD:
                response = superuser.get(f"/admin/{path}/?{urlencode({name: value})}")
                assert response.status_code == 400 if "\0" in value else response.status_code in (200, 302)
                if response.status_code == 302:
                    assert response["Location"] == f"/admin/{path}/?e=1"


class TestEarlierFailures:
    """Each of these once failed, or showed more than the page does."""

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("ledger/entry/?effective_on__year=99999", 400),
            ("payments/payment/?status__exact=%00", 400),
            ("api/apikey/?key_hash__gt=x", 400),
            ("api/apikey/?key_hash__startswith=", 400),
            ("autocomplete/?app_label=ledger&model_name=entry&field_name=account&term=%00", 400),
            ("r/1/1/", 404),
            ("accounts/account/0193aaaa-0000-7000-8000-000000000000/delete/?_to_field=", 403),
        ],
    )
    def test_is_refused(self, superuser: Client, support: Client, query: str, status: int) -> None:
        for client in (superuser, support):
            assert client.get(f"/admin/{query}").status_code == status

    def test_a_list_that_could_not_be_filtered_says_so(self, support: Client) -> None:
        wrong = "/admin/ledger/entry/?effective_on__gte=2026-13-01"
        response = support.get(wrong, follow=True)
        assert response.redirect_chain == [("/admin/ledger/entry/?e=1", 302)]
        assert [str(message) for message in response.context["messages"]] == [
            "A filter had an invalid value, so this list is not filtered."
        ]
        # Django's own words for this are about a database that isn't there.
        content = page(support, "ledger/entry/?e=1&effective_on__gte=2026-13-01")
        assert "A filter in this address has an invalid value" in content
        assert "database" not in content

    def test_a_list_that_links_lead_to_is_filtered(self, support: Client, billed_account: Billed) -> None:
        account, run, invoice = billed_account.account.id, billed_account.run.id, billed_account.invoice.id
        for query in (
            f"rebilling/rebilling/?account__id__exact={account}",
            f"rebilling/rebilling/?run={run}",
            f"payments/payment/?account__id__exact={account}",
            f"payments/payment/?invoice__id__exact={invoice}",
            f"payments/payment/?run={run}",
            f"payments/refund/?account__id__exact={account}",
            f"payments/refund/?payment__invoice__id__exact={invoice}",
            f"payments/refund/?run={run}",
            f"invoices/invoice/?account__id__exact={account}",
            f"invoices/invoice/?run={run}",
            f"invoices/creditnote/?account__id__exact={account}",
            f"invoices/creditnote/?invoice__id__exact={invoice}",
            f"ledger/entry/?account__id__exact={account}",
            f"ledger/entry/?invoice_id__exact={invoice}",
            f"ledger/entry/?run={run}",
            f"accounts/accountchange/?account__id__exact={account}",
        ):
            assert "Ada Lovelace" in page(support, query)
            assert "Ada Lovelace" not in page(support, query.replace(query[-12:], "0" * 12))
