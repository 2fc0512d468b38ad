"""Answers to requests with the same Idempotency-Key, with real connections and real locks."""

import datetime
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from api.idempotency import KEPT, delete_old_answers
from api.models import ApiKey, IdempotentAnswer
from invoices.credits import grant_credit
from ledger.models import Entry
from tests.builders import NOW, an_account
from tests.support.api_client import ApiClient, problem_of
from tests.support.databases import committed, rolled_back

SORRY = {"amount_minor": 500, "reason": "An hour of outage."}


def _elsewhere(work: Callable[[], Any]) -> Any:
    """Do it in another thread, so on another connection."""

    def and_close() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(and_close).result(timeout=20)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Credits stop in the middle of their work, once they have said so, until they are let go."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(**kwargs: Any) -> Entry:
        entry = grant_credit(**kwargs)
        begun.set()
        assert go_on.wait(timeout=20)
        return entry

    monkeypatch.setattr("api.v1.credits.grant_credit", slow)
    yield begun, go_on
    go_on.set()


@committed
class TestSameRequestAtOnce:
    def test_in_flight_is_refused_and_works_once_the_first_is_done(
        self, held: tuple[threading.Event, threading.Event]
    ) -> None:
        begun, go_on = held
        api, path = ApiClient(), f"/v1/accounts/{an_account().id}/credits"
        first: list[Any] = []
        worker = threading.Thread(
            target=lambda: first.append(_elsewhere(lambda: api.post(path, SORRY, once="one"))), daemon=True
        )
        worker.start()
        assert begun.wait(timeout=20)
        problem_of(api.post(path, SORRY, once="one"), status=409, slug="request-in-flight")
        assert Entry.objects.count() == 0
        go_on.set()
        worker.join(timeout=20)
        again = api.post(path, SORRY, once="one")
        assert first[0].status_code == 201
        assert (again.status_code, again.content) == (201, first[0].content)
        assert again["Idempotent-Replayed"] == "true"
        assert Entry.objects.count() == 1

    def test_of_another_key_is_not_in_the_way(self, held: tuple[threading.Event, threading.Event]) -> None:
        begun, go_on = held
        api = ApiClient()
        paths = [f"/v1/accounts/{an_account().id}/credits" for _ in range(2)]
        with ThreadPoolExecutor(max_workers=1) as pool:
            first = pool.submit(_elsewhere, lambda: api.post(paths[0], SORRY, once="one"))
            assert begun.wait(timeout=20)
            go_on.set()
            assert api.post(paths[1], SORRY, once="one").status_code == 201
            assert first.result(timeout=20).status_code == 201
        assert Entry.objects.count() == 2

    def test_among_many_at_once_credits_once(self) -> None:
        api, path = ApiClient(), f"/v1/accounts/{an_account().id}/credits"
        with ThreadPoolExecutor(max_workers=8) as pool:
            answers = list(pool.map(lambda _: _elsewhere(lambda: api.post(path, SORRY, once="one")), range(24)))
        statuses = [answer.status_code for answer in answers]
        assert set(statuses) <= {201, 409}
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert sum("Idempotent-Replayed" not in answer for answer in answers if answer.status_code == 201) == 1
        assert Entry.objects.count() == 1
        assert IdempotentAnswer.objects.count() == 1


def _answers(number: int, *, key: ApiKey, created_at: datetime.datetime) -> None:
    IdempotentAnswer.objects.bulk_create(
        IdempotentAnswer(
            client_id=key.client_id,
            method="POST",
            path="/v1/plans",
            idempotency_key=f"{created_at} {n}",
            body_hash=b"\0" * 32,
            status_code=201,
            content_type="application/json",
            content=b"{}",
            created_at=created_at,
        )
        for n in range(number)
    )


@rolled_back
class TestForgetOldAnswers:
    def test_takes_the_oldest_first_and_no_more_than_it_may(self) -> None:
        key = ApiClient().key
        hour = datetime.timedelta(hours=1)
        _answers(3, key=key, created_at=NOW - KEPT - hour)
        _answers(3, key=key, created_at=NOW - KEPT - 2 * hour)
        _answers(3, key=key, created_at=NOW - KEPT)
        assert delete_old_answers(now=NOW, max_answers=4) == 4
        assert IdempotentAnswer.objects.filter(created_at=NOW - KEPT - 2 * hour).count() == 0
        assert delete_old_answers(now=NOW, max_answers=4) == 2
        assert delete_old_answers(now=NOW, max_answers=4) == 0
        assert IdempotentAnswer.objects.count() == 3

    def test_keeps_each_for_more_than_a_day(self) -> None:
        assert datetime.timedelta(hours=24) <= KEPT


@committed
class TestForgetOldAnswersTogether:
    def test_skips_what_another_request_is_forgetting(self) -> None:
        key = ApiClient().key
        _answers(5, key=key, created_at=NOW - KEPT - KEPT)
        with transaction.atomic():
            assert delete_old_answers(now=NOW, max_answers=3) == 3
            assert _elsewhere(lambda: delete_old_answers(now=NOW, max_answers=5)) == 2
        assert IdempotentAnswer.objects.count() == 0

    def test_lets_a_request_through_while_another_forgets(self) -> None:
        with time_machine.travel(NOW, tick=False):
            api, path = ApiClient(), f"/v1/accounts/{an_account().id}/credits"
            _answers(5, key=api.key, created_at=NOW - KEPT - KEPT)
            with transaction.atomic():
                delete_old_answers(now=NOW, max_answers=3)
                assert _elsewhere(lambda: api.post(path, SORRY, once="one")).status_code == 201
        assert IdempotentAnswer.objects.count() == 1
