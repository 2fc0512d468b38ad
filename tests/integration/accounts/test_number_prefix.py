"""A prefix that another account has: another one is drawn."""

import itertools
from collections.abc import Iterator

import pytest
from django.db import IntegrityError

from accounts import account_opening, number_prefix
from accounts.models import Account, AccountChange, Terms
from tests.builders import a_plan, an_account
from tests.integration.subscriptions.imports.files import file_of, row, take
from tests.support.databases import rolled_back

pytestmark = rolled_back


def drawing(monkeypatch: pytest.MonkeyPatch, prefixes: Iterator[str]) -> None:
    for module in (account_opening, number_prefix):
        monkeypatch.setattr(module, "new_number_prefix", lambda: next(prefixes))


def test_is_drawn_again_when_an_account_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = an_account().number_prefix
    drawing(monkeypatch, iter([taken, taken, "FREE"]))
    assert an_account().number_prefix == "FREE"


def test_is_drawn_again_for_the_batch_of_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    a_plan(code="basic")
    drawing(monkeypatch, iter(["ONE", "ONE", "TWO", "THREE"]))
    take(file_of(row("a"), row("b")))
    assert set(Account.objects.values_list("number_prefix", flat=True)) == {"TWO", "THREE"}


def test_is_refused_after_a_few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = an_account().number_prefix
    before = [model.objects.count() for model in (Account, Terms, AccountChange)]
    drawing(monkeypatch, itertools.repeat(taken))
    with pytest.raises(IntegrityError):
        an_account()
    assert [model.objects.count() for model in (Account, Terms, AccountChange)] == before
