"""A customer of the platform on this machine, whose shop calls the API: each verb is one thing that it does, and what
comes of it is done when the verb returns.
"""

import html
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.platforms import Admin, Api, Start, base_of, output_until_serving
from tests.support.processes import manage

IN_FLIGHT = {"SUBMITTED", "UNKNOWN"}


class Customer:
    """One account, on a platform whose payments a simulated provider collects."""

    def __init__(self, *, base: str, provider: str, data: Path) -> None:
        self.api, self.admin = Api.of(base=base, data=data), Admin(base=base, data=data)
        self._provider, self._data = provider, data
        self._account_id = ""
        self._entries_read = 0

    @property
    def path(self) -> str:
        return f"/v1/accounts/{self._account_id}"

    def signs_up(self, **fields: Any) -> Any:
        opened = self.api.post("/v1/accounts", fields)
        self._account_id = opened["id"]
        return opened

    def changes_terms(self, **fields: Any) -> Any:
        """What the change answers: as a dry run has shown it before."""
        path, shown = f"{self.path}/terms", self._previewed(fields)
        changed = self.api.post(path, fields)
        assert _amounts(changed) == _amounts(shown)
        self._wait_for_the_worker()
        return changed

    def changes_card(self, payment_method: str, *, reason: str) -> None:
        """By a call of the shop's, which tells the platform of another payment method."""
        self.api.patch(self.path, {"payment_method": payment_method, "reason": reason})
        self._wait_for_the_worker()

    def gives_new_card(self, payment_method: str) -> None:
        """In the shop's own front end, by a payment method session."""
        path = f"{self.path}/payment-method-session"
        session = f"{path}/{self.api.post(path, {})['id']}"
        secret = self.api.get(f"{session}?wait=10")["client_secret"]
        assert secret
        given = json.dumps({"client_secret": secret, "payment_method": payment_method}).encode()
        urllib.request.urlopen(f"{self._provider}/confirm", data=given, timeout=10).close()
        self.api.post(f"{session}/complete", {})
        assert self.api.get(f"{session}?wait=10")["status"] == "COMPLETED"
        self._wait_for_the_worker()

    def asks_for(self, call: str, **fields: Any) -> Any:
        """One of the calls of an account's life: `pause`, `resume`, `discount`, `close`, `reopen`."""
        answered = self.api.post(f"{self.path}/{call}", fields)
        self._wait_for_the_worker()
        return answered

    def lives_until(self, day: str) -> None:
        """The platform's clock is moved to that day: each day is swept, dunned and checked."""
        moved = manage("clock", "--to", day, BILLING_DATA=str(self._data))
        assert (moved.returncode, moved.stderr) == (0, "")
        assert "UNEXPLAINED" not in moved.stdout

    def account(self) -> Any:
        return self.api.get(self.path)

    def where_it_stands(self) -> list[str]:
        """Where the account stands, as its page in the admin says."""
        return _items(self._page("Where it stands"))

    def rows(self, heading: str) -> list[list[str]]:
        """The rows of a table on that page, oldest first."""
        rows = re.findall(r"<tr>(.*?)</tr>", self._page(heading), re.DOTALL)[1:]
        return [[_text(cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)] for row in reversed(rows)]

    def invoices(self) -> list[Any]:
        """All of them, oldest first, each with all that belongs to it."""
        listed = reversed(self.api.all_of(f"{self.path}/invoices"))
        return [self.api.get(f"/v1/invoices/{invoice['id']}") for invoice in listed]

    def story_of(self, invoice: Any) -> list[str]:
        """What happened to the invoice, as its page in the admin says; numbers without the account's own prefix."""
        page = self.admin.page(f"/admin/invoices/invoice/{invoice['id']}/change/")
        story = _items(_fieldset(page, "What happened"))
        assert story == invoice["explanation"]
        prefix = invoice["number"].removesuffix(invoice["number"][-4:])
        return [sentence.replace(prefix, "") for sentence in story]

    def entries(self) -> list[Any]:
        """Those of the ledger, in the order in which they were written."""
        return list(reversed(self.api.all_of(f"{self.path}/ledger")))

    def new_entries(self) -> list[Any]:
        """Those since this was last called."""
        entries = self.entries()
        new, self._entries_read = entries[self._entries_read :], len(entries)
        return new

    def upcoming_invoice(self) -> Any:
        """Or why there is none."""
        upcoming = self.api.get(f"{self.path}/upcoming-invoice")
        return upcoming["invoice"] or upcoming["no_invoice"]

    def payments(self) -> list[Any]:
        """Oldest first."""
        return list(reversed(self.api.all_of(f"{self.path}/payments")))

    def owes(self, *, as_of: str) -> int:
        return int(self.api.get(f"{self.path}/balance?as_of={as_of}")["balance_minor"])

    def provider_totals(self) -> Any:
        """What the provider took of its customers, less what it sent back, by its own records."""
        with urllib.request.urlopen(f"{self._provider}/records", timeout=10) as answer:
            return json.loads(answer.read())["totals"]

    def _previewed(self, fields: Any) -> Any:
        before = self.account()
        shown = self.api.post(f"{self.path}/terms", fields | {"dry_run": True})
        assert self.account() == before
        return shown

    def _page(self, heading: str) -> str:
        return _fieldset(self.admin.page(f"/admin/accounts/account/{self._account_id}/change/"), heading)

    def _wait_for_the_worker(self) -> None:
        """Until it has collected and sent back what was submitted."""
        deadline = time.monotonic() + 30
        lists = (f"{self.path}/payments", f"/v1/refunds?account={self._account_id}")
        while any(row["status"] in IN_FLIGHT for path in lists for row in self.api.all_of(path)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


@contextmanager
def customer_on(*, day: str, data: Path, start: Start, **environment: str) -> Iterator[Customer]:
    """A platform that begins on that day, and a customer to be."""
    output = output_until_serving(start("runlocal", "--today", day, "--simulated-provider", **environment))
    (provider,) = re.findall(r"  taken   (http\S+)/records ", output)
    yield Customer(base=base_of(output), provider=provider, data=data)


def _amounts(change: Any) -> Any:
    """What a change of terms answers, but for what a dry run has no id of."""
    billed = dict(change["proration"] or {})
    billed["invoice"] = None
    billed["credit_notes"] = [note | {"id": None} for note in billed.get("credit_notes", [])]
    after = change["after"] | {"id": None}
    return change | {"dry_run": None, "after": after, "proration": billed}


def _fieldset(page: str, heading: str) -> str:
    """The part of an admin's page below a heading."""
    found = re.search(rf">{heading}[^<]*</h2>(.*?)</fieldset>", page, re.DOTALL)
    assert found, f"no '{heading}' on the page"
    return found[1]


def _items(fieldset: str) -> list[str]:
    return [_text(item) for item in re.findall(r"<li>(.*?)</li>", fieldset, re.DOTALL)]


def _text(markup: str) -> str:
    """As it is read: without tags."""
    return html.unescape(re.sub(r"<[^>]+>", "", markup)).strip()
