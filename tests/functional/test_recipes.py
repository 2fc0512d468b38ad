"""The page of recipes: its calls and commands as they stand there, and the answers that it shows."""

import datetime
import io
import json
import re
import shlex
import time
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command

from subscriptions.management.commands.import_accounts import Command as ImportAccounts
from tests.builders import at
from tests.support.databases import committed
from tests.support.platform_days import PlatformDays, platform_days
from tests.support.project_files import text_of
from tests.support.shown_calls import Step, differences, sections_of, sent, steps_of, words_of
from tests.support.stripe_bench import StripeBench, stripe_bench

PAGE = "docs/recipes.md"
BEFORE = "Before you begin"
SECTIONS = sections_of(PAGE)
RECIPES = [heading for heading in SECTIONS if heading != BEFORE]


class Reader:
    """Does what the page says, one step after the other."""

    def __init__(self, *, days: PlatformDays, bench: StripeBench, folder: Path) -> None:
        self.days, self.bench, self.folder = days, bench, folder
        self.ids: dict[str, str] = {}
        self._pass_to(days.day)

    def follow(self, heading: str) -> None:
        for step in steps_of(SECTIONS[heading]):
            self._do(step)

    def _do(self, step: Step) -> None:
        if step.kind == "csv":
            (self.folder / "customers.csv").write_text(step.shown, encoding="utf-8")
        elif step.command.startswith("api "):
            self._call(step)
        elif step.command.startswith("curl "):
            self._give_card(step.command)
        elif "manage.py clock --to " in step.command:
            self._pass_to(datetime.date.fromisoformat(step.command.split()[-1]))
        elif "manage.py import_accounts " in step.command:
            self._import(step)
        else:
            assert step.command.startswith("export "), step.command

    def _call(self, step: Step) -> None:
        response = sent(self.days.api, step.command, self.ids)
        assert response.status_code in (200, 201, 202), response.content
        if step.shown:
            assert list(differences(json.loads(step.shown), response.json(), self.ids)) == [], step.command
        self.days.work()

    def _give_card(self, command: str) -> None:
        provider = {"$PROVIDER": f"{self.bench.url}/_control"}
        _, _, url, _, body = words_of(command, self.ids | provider)
        urllib.request.urlopen(url, data=body.encode(), timeout=10).close()

    def _import(self, step: Step) -> None:
        _, _, _, file, *options = shlex.split(step.command)
        out = io.StringIO()
        # By its class: a test that commits hides the apps whose tables it doesn't empty.
        call_command(ImportAccounts(), str(self.folder / file), *options, stdout=out)
        assert not step.shown or out.getvalue() == step.shown

    def _pass_to(self, day: datetime.date) -> None:
        while self.days.day < day:
            self.bench.clock.now = at(self.days.day + datetime.timedelta(days=1))
            self.days.sweep(self.days.day + datetime.timedelta(days=1))
        self.bench.clock.now = at(day)


@pytest.fixture
def reader(settings: Any, transactional_db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Reader]:
    """On 1 January 2026, with the worker at work while a call waits."""
    settings.PAYMENT_GATEWAY = "payments.gateways.stripe.gateway.StripeGateway"
    with stripe_bench() as bench, platform_days(monkeypatch, lambda **_: nullcontext()) as days:
        days.gateway = bench.gateway
        waits = SimpleNamespace(monotonic=time.monotonic, sleep=lambda seconds: days.work())
        monkeypatch.setattr("api.wait_parameter.time", waits)
        yield Reader(days=days, bench=bench, folder=tmp_path)


@committed
class TestRecipe:
    @pytest.mark.parametrize("heading", RECIPES)
    def test_goes_as_it_is_shown(self, reader: Reader, heading: str) -> None:
        reader.follow(BEFORE)
        assert reader.ids.keys() == {"$ACCOUNT", "$INVOICE", "$PAYMENT"}
        assert reader.days.day == datetime.date(2026, 1, 16)
        reader.follow(heading)


class TestPage:
    def test_links_to_each_recipe_from_its_top(self) -> None:
        top = re.findall(r"\]\(#(.+?)\)", text_of(Path(PAGE)).split("\n## ")[0])
        assert top
        assert sorted(top) == sorted(re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in RECIPES)

    def test_has_no_call_whose_answer_or_consequence_is_not_shown(self) -> None:
        for heading in RECIPES:
            assert steps_of(SECTIONS[heading])[-1].shown, heading

    def test_uses_each_key_once(self) -> None:
        keys = re.findall(r"Idempotency-Key: ([\w-]+)'", "".join(SECTIONS.values()))
        assert len(keys) > 5
        assert sorted(set(keys)) == sorted(keys)
