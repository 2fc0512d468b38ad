"""The README's tour: its calls as they stand there, and the answers that it shows."""

import json
from typing import Any

import pytest
import time_machine
from pytest_django import DjangoCaptureOnCommitCallbacks

from payments.messages import dispatch
from tests.builders import NOW, QueueInHand, ScriptedGateway, delivered
from tests.support.api_client import ApiClient
from tests.support.shown_calls import Step, differences, sections_of, sent, steps_of


def tour() -> list[Step]:
    """The calls of the README's section, in order."""
    return [step for step in steps_of(sections_of("README.md")["Five calls"]) if step.command.startswith("api ")]


@pytest.mark.django_db
class TestTour:
    def test_of_five_calls_goes_as_it_is_shown(
        self, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
    ) -> None:
        calls, ids, gateway, queue = tour(), dict[str, str](), ScriptedGateway(), QueueInHand()
        monkeypatch.setattr(dispatch, "configured_queue", lambda: queue)
        assert len(calls) == 5
        with time_machine.travel(NOW, tick=False):
            api = ApiClient()
            for call in calls:
                with django_capture_on_commit_callbacks(execute=True):
                    response = sent(api, call.command, ids)
                assert response.status_code in (200, 201), response.content
                assert list(differences(json.loads(call.shown), response.json(), ids)) == [], call.command
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
