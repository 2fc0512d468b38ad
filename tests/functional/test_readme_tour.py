"""The README's tour: its calls as they stand there, and the answers that it shows."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import time_machine
from pytest_django import DjangoCaptureOnCommitCallbacks

from payments.messages import sending
from tests.builders import NOW, QueueInHand, ScriptedGateway, delivered
from tests.support.api_client import ApiClient
from tests.support.project_files import ROOT

BASE = "$API/"


class Call(NamedTuple):
    """One call of the tour: what `curl` is given, and the answer that is shown."""

    arguments: list[str]
    shown: Any


def tour() -> list[Call]:
    """The calls of the README's section, in order."""
    section = re.search(r"^## Five calls\n(.*?)^## ", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert section, "the README has no heading '## Five calls'"
    found = re.findall(r"^```\napi (.*?)\n```\n\n```json\n(.*?)^```", section[1], re.MULTILINE | re.DOTALL)
    return [Call(shlex.split(arguments), json.loads(shown)) for arguments, shown in found]


def sent(api: ApiClient, arguments: list[str], ids: dict[str, str]) -> Any:
    """Send what `curl` would: with a body it is a POST."""
    url, *options = [_filled(argument, ids) for argument in arguments]
    assert url.startswith(BASE)
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given.keys() <= {"-d", "-H"}
    once = given["-H"].removeprefix("Idempotency-Key: ") if "-H" in given else None
    path = f"/v1/{url.removeprefix(BASE)}"
    raw = given["-d"].encode() if "-d" in given else b""
    return api.send("POST" if raw else "GET", path, raw=raw, once=once)


def _filled(text: str, ids: dict[str, str]) -> str:
    for name, value in ids.items():
        text = text.replace(name, value)
    return text


def differences(shown: Any, answered: Any, ids: dict[str, str], path: str = "") -> Iterator[str]:
    """Where the answer isn't as shown. Fields may be left out; `$NAME` is an id, the same one each time."""
    if isinstance(shown, dict):
        for name, value in shown.items():
            yield from differences(value, answered.get(name, "nothing"), ids, f"{path}.{name}")
    elif isinstance(shown, list):
        if len(shown) != len(answered):
            yield f"{path}: {len(answered)} instead of {len(shown)}"
        for number, (one, other) in enumerate(zip(shown, answered, strict=False)):
            yield from differences(one, other, ids, f"{path}[{number}]")
    elif isinstance(shown, str) and shown.startswith("$"):
        if ids.setdefault(shown, answered) != answered:
            yield f"{path}: {answered} instead of {ids[shown]}"
    elif shown != answered:
        yield f"{path}: {answered!r} instead of {shown!r}"


@pytest.mark.django_db
class TestTour:
    def test_of_five_calls_goes_as_it_is_shown(
        self, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        calls, ids, gateway, queue = tour(), dict[str, str](), ScriptedGateway(), QueueInHand()
        monkeypatch.setattr(sending, "configured_queue", lambda: queue)
        assert len(calls) == 5
        with time_machine.travel(NOW, tick=False):
            api = ApiClient()
            for arguments, shown in calls:
                with django_capture_on_commit_callbacks(execute=True):
                    response = sent(api, arguments, ids)
                assert response.status_code in (200, 201), response.content
                assert list(differences(shown, response.json(), ids)) == [], arguments[0]
                assert delivered(bodies=queue.take(), gateway=gateway, queue=queue) == []
        assert ids.keys() == {"$ACCOUNT", "$INVOICE"}
        assert [request.amount_minor for request in gateway.requests] == [1999]

    @pytest.mark.parametrize(
        ("shown", "answered", "found"),
        [
            ({"a": 1}, {"a": 1, "b": 2}, []),
            ({"a": 1}, {"a": 2}, [".a: 2 instead of 1"]),
            ({"a": None}, {}, [".a: 'nothing' instead of None"]),
            ([{"a": 1}], [{"a": 1}, {"a": 2}], [": 2 instead of 1"]),
            ({"a": "$ID", "b": "$ID"}, {"a": "1", "b": "2"}, [".b: 2 instead of 1"]),
        ],
    )
    def test_is_compared_with_the_answers(self, shown: Any, answered: Any, found: list[str]) -> None:
        assert list(differences(shown, answered, {})) == found
