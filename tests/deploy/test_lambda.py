"""The real package under AWS's runtime client: each kind of event has the right answer, and any other is refused."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from accounts.models import Account
from api.keys import create_api_key
from api.models import Scope
from ledger.models import Entry
from localcloud.sqs.poller import Poller
from payments.messages.format import to_json
from payments.models import Payment
from rebilling.messages.message import PeriodsMessage, from_json
from rebilling.models import Rebilling, Run
from tests.builders import NOW, TODAY, a_plan, an_account, statuses_of
from tests.deploy.runtime_api import Function, FunctionError
from tests.deploy.surroundings import Surroundings, http_event, needs_the_package
from tests.support.databases import committed
from tests.support.workers.waiting import wait_until

pytestmark = [committed, needs_the_package]
MORNING = {"command": "sweep", "time": NOW.isoformat().replace("+00:00", "Z")}


@pytest.fixture(autouse=True)
def _empty_queue(around: Surroundings) -> None:
    around.queue.clear()


def a_key() -> str:
    return create_api_key(name="proof", scopes=Scope.values, expires_at=None, now=NOW)[1]


def refused(function: Function, event: Any) -> str:
    """The error that an event is refused with; nothing was run or written."""
    before = [model.objects.count() for model in (Run, Rebilling, Payment, Entry)]
    with pytest.raises(FunctionError) as raised:
        function.invoke(event)
    assert [model.objects.count() for model in (Run, Rebilling, Payment, Entry)] == before
    assert raised.value.error_type == "UnroutedEvent"
    return raised.value.message


class TestApi:
    def test_opens_an_account_and_reads_it_back(self, api_function: Function) -> None:
        plan, bearer = a_plan(), f"Bearer {a_key()}"
        body = {"name": "Ada", "email": "ada@example.com", "plan": plan.code}
        event = http_event("POST", "/v1/accounts", body=body, Authorization=bearer, Idempotency_Key="one")
        opened, again = api_function.invoke(event), api_function.invoke(event)
        assert (opened["statusCode"], again["statusCode"]) == (201, 201)
        account = json.loads(opened["body"])
        assert json.loads(again["body"])["id"] == account["id"]
        assert Account.objects.count() == 1
        read = api_function.invoke(http_event("GET", f"/v1/accounts/{account['id']}", Authorization=bearer))
        assert read["statusCode"] == 200
        assert read["headers"]["Content-Type"] == "application/json"
        assert not read.get("isBase64Encoded", False)
        assert json.loads(read["body"])["name"] == "Ada"

    def test_passes_a_query_on(self, api_function: Function) -> None:
        for _ in range(3):
            an_account()
        event = http_event("GET", "/v1/accounts", query={"page_size": "2"}, Authorization=f"Bearer {a_key()}")
        assert len(json.loads(api_function.invoke(event)["body"])["results"]) == 2

    def test_refuses_who_has_no_key_with_a_problem(self, api_function: Function) -> None:
        answer = api_function.invoke(http_event("GET", "/v1/accounts"))
        assert answer["statusCode"] == 401
        assert answer["headers"]["Content-Type"] == "application/problem+json"
        assert json.loads(answer["body"])["status"] == 401

    def test_sends_plain_http_to_https(self, api_function: Function) -> None:
        answer = api_function.invoke(http_event("GET", "/v1/accounts", X_Forwarded_Proto="http"))
        assert answer["statusCode"] == 301
        assert answer["headers"]["Location"].startswith("https://billing.example.com/")

    def test_answers_no_other_host(self, api_function: Function) -> None:
        assert api_function.invoke(http_event("GET", "/admin/login/", Host="evil.example"))["statusCode"] == 400

    def test_serves_the_admin_with_its_css(self, api_function: Function, task_root: Path) -> None:
        page = api_function.invoke(http_event("GET", "/admin/login/"))
        assert page["statusCode"] == 200
        # Zappa 0.63 names a cookie twice; the same one, which no browser minds.
        assert len({cookie.split(";")[0] for cookie in page["multiValueHeaders"]["Set-Cookie"]}) == 1
        paths = re.findall(r'href="(/static/[^"]+\.css)"', page["body"])
        assert [path for path in paths if re.search(r"base\.[0-9a-f]{12}\.css$", path)]
        for path in paths:
            plain = api_function.invoke(http_event("GET", path))
            assert (plain["statusCode"], plain["headers"]["Content-Type"]) == (200, 'text/css; charset="utf-8"')
            assert "immutable" in plain["headers"]["Cache-Control"]
            served = body_of(plain)
            assert served == (task_root / "staticfiles" / path.removeprefix("/static/")).read_bytes()
            zipped = api_function.invoke(http_event("GET", path, Accept_Encoding="gzip"))
            assert zipped["headers"]["Content-Encoding"] == "gzip"
            assert zipped["isBase64Encoded"] is True
            assert gzip.decompress(body_of(zipped)) == served

    @pytest.mark.parametrize(
        "event",
        [MORNING, {"manage": "migrate"}, {"manage": "sweep --as-of 2026-01-01"}, {"command": "os.getcwd"}],
        ids=["sweep", "migrate", "manage_sweep", "function"],
    )
    def test_does_nothing_that_is_not_its_duty(self, api_function: Function, event: dict[str, str]) -> None:
        an_account(rebilling_date=TODAY)
        refused(api_function, event)


class TestWorker:
    def test_sweeps_by_the_time_of_the_schedule(self, worker_function: Function, around: Surroundings) -> None:
        due = [an_account() for _ in range(3)]
        answer = worker_function.invoke(MORNING)
        run = Run.objects.get()
        assert answer == {"run": str(run.id)}
        assert run.as_of == TODAY
        assert Rebilling.objects.filter(status=Rebilling.Status.DUE).count() == len(due) == 3
        assert around.queue.visible == 1

    def test_charges_a_batch_around_a_poison_message(self, worker_function: Function, around: Surroundings) -> None:
        accounts = [an_account() for _ in range(3)]
        worker_function.invoke(MORNING)
        (body,) = around.queue._take(around.queue.endpoint.queue_url)
        whole = from_json(body)
        assert isinstance(whole, PeriodsMessage)
        one_each = [PeriodsMessage(run_id=whole.run_id, as_of=whole.as_of, periods=(item,)) for item in whole.periods]
        for text in [to_json(one_each[0]), '{"schema": "rebilling/9"}', *map(to_json, one_each[1:])]:
            around.queue.send(text)
        poller = Poller(
            client=around.queue.client, queue_url=around.queue.endpoint.queue_url, handler=worker_function.invoke
        )
        received = failed = 0
        while received < 4:
            delivery = poller.poll()
            received, failed = received + delivery.received, failed + delivery.failed
        assert (received, failed) == (4, 1)
        assert [statuses_of(account) for account in accounts] == [[(TODAY, "CHARGED")]] * 3
        assert Entry.objects.filter(type="charge").count() == 3
        assert Payment.objects.filter(status="SUCCEEDED").count() == 3
        # The poison comes back until it is with the dead letters, and nothing else moves.
        wait_until(lambda: poller.poll(wait_seconds=0) and around.queue.dead == 1, pause=0.2)
        assert around.queue.on_its_way == 0
        assert Entry.objects.filter(type="charge").count() == 3
        assert "rebilling.message_refused" in worker_function.logged

    def test_refuses_messages_of_another_queue(self, worker_function: Function) -> None:
        record = {
            "messageId": "1",
            "body": "{}",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:other",
        }
        assert "other" in refused(worker_function, {"Records": [record]})

    @pytest.mark.parametrize(
        "event",
        [
            {"command": "launch", "time": "2026-01-01T06:00:00Z"},
            {"command": "sweep"},
            {"command": "os.getcwd"},
            {"manage": "migrate"},
            {"manage": "shell"},
            {"detail-type": "Scheduled Event", "resources": ["arn:aws:events:us-east-1:123456789012:rule/x-os.getcwd"]},
            {"Records": []},
            {},
            [],
        ],
        ids=str,
    )
    def test_refuses_whatever_it_does_not_know(self, worker_function: Function, event: Any) -> None:
        an_account()
        refused(worker_function, event)

    def test_runs_no_python_that_it_is_sent(self, worker_function: Function, tmp_path: Path) -> None:
        trace = tmp_path / "ran"
        refused(worker_function, {"raw_command": f"open({str(trace)!r}, 'w').close()"})
        assert not trace.exists()

    def test_serves_no_pages(self, worker_function: Function) -> None:
        refused(worker_function, http_event("GET", "/admin/login/"))

    def test_reconciles_and_runs_the_commands_of_its_own_list(self, worker_function: Function) -> None:
        an_account()
        worker_function.invoke(MORNING)
        hourly = worker_function.invoke({"command": "reconcile", "time": "2026-01-01T07:00:00Z"})
        assert (hourly["runs"], hourly["unexplained"]) == (1, 0)
        assert "due" in worker_function.invoke({"manage": f"reconcile {Run.objects.get().id}"})["output"]

    def test_writes_no_secret_into_its_log(self, worker_function: Function, around: Surroundings) -> None:
        worker_function.wait_until_started()
        assert '"level": "ERROR"' in worker_function.logged
        assert [value for value in around.secret_values if value in worker_function.logged] == []


def body_of(answer: dict[str, Any]) -> bytes:
    body = str(answer["body"])
    return base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
