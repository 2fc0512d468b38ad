"""The form that opens an account, as somebody fills it in and sends it."""

import re

from django.test import Client

from accounts.models import Account
from tests.builders import NOW
from tests.functional.backoffice.action_requests import messages_of, previewed, state

PATH = "/admin/accounts/account/add/"
SAID = {
    "name": "Ada Lovelace",
    "email": "ada@engine.example",
    "plan": "gold",
    "quantity": "1",
    "billing": "now",
    "collection_method": "automatic",
    "net_days": "30",
    "on_decline": "dun",
}
ADA = ["The customer is Ada Lovelace, ada@engine.example.", "There is no payment method at the gateway yet."]
REQUIRED = ["This field is required."]


def said(client: Client, **changed: str) -> dict[str, str]:
    """The form, opened and filled in."""
    found = re.search(r'name="submission" value="([^"]+)"', client.get(PATH).content.decode())
    assert found
    return SAID | {"submission": found[1]} | changed


def opened(client: Client, **changed: str) -> tuple[Account, list[str], list[str]]:
    """The account that the form opened, what the preview said, by which nothing moved, and what the page said then."""
    data, before = said(client, **changed), state()
    sentences, seen = previewed(client, PATH, data)
    assert state() == before
    messages = messages_of(client, PATH, data | {"seen": seen})
    account = Account.objects.get(id=data["submission"])
    assert Account.objects.filter(created_at=NOW, name=data["name"]).count() == 1
    return account, sentences, messages


def refused(client: Client, **changed: str) -> tuple[dict[str, list[str]], list[str]]:
    """The errors by field, and the messages; nothing moved."""
    data, before = said(client, **changed), state()
    response = client.post(PATH, data)
    assert (response.status_code, response.context["preview"], response.context["button"]) == (200, [], "Preview")
    assert state() == before
    return dict(response.context["form"].errors), [str(message) for message in response.context["messages"]]
