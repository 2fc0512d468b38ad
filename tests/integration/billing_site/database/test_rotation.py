"""The rotation, on a PostgreSQL that asks for passwords and Secrets Manager over its protocol: the role made by the
owner, a new password in four steps, each as often as it comes, and nobody who works meanwhile loses anything.
"""

import json
from collections.abc import Iterator

import pytest

from tests.support.lambdas.environments import ROLE, Cloud, Environment, cloud
from tests.support.lambdas.secrets import STEPS
from tests.support.lambdas.traffic import KINDS, NEEDED_EACH, traffic


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(folder=tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def migrate(made: Cloud) -> Iterator[Environment]:
    """The migrating function, which has made the role and the tables."""
    with made.environment("migrate") as environment:
        environment.answer({"manage": "prepare_database"})
        environment.answer({"manage": "migrate --noinput -v0"})
        yield environment


@pytest.fixture
def ready(made: Cloud, migrate: Environment) -> Cloud:
    """The database and the secret agree."""
    migrate.answer({"manage": "prepare_database"})
    return made


def accepted(made: Cloud, password: str) -> bool:
    return made.server.accepts(username=ROLE, password=password)


def take(made: Cloud, migrate: Environment, *steps: str, token: str) -> None:
    for step in steps:
        assert migrate.answer(made.application.rotation_event(step=step, token=token)) == {"step": step, "done": True}


class TestSteps:
    def test_lead_from_one_password_to_the_next(self, ready: Cloud, migrate: Environment) -> None:
        secret, before = ready.application, ready.application.value()
        token = secret.begin_rotation()
        take(ready, migrate, "createSecret", token=token)
        pending = secret.value("AWSPENDING")
        assert pending.keys() == before.keys()
        assert {**pending, "password": ""} == {**before, "password": ""}
        assert len(pending["password"]) == 43
        assert (accepted(ready, before["password"]), accepted(ready, pending["password"])) == (True, False)
        take(ready, migrate, "setSecret", token=token)
        assert (accepted(ready, before["password"]), accepted(ready, pending["password"])) == (False, True)
        assert secret.value() == before
        take(ready, migrate, "testSecret", "finishSecret", token=token)
        assert secret.value() == pending
        assert secret.value("AWSPREVIOUS") == before

    def test_each_taken_again_changes_nothing_more(self, ready: Cloud, migrate: Environment) -> None:
        """Cut off before it could say that it was done, a step comes again, and so may all before it."""
        secret = ready.application
        token = secret.begin_rotation()
        take(ready, migrate, "createSecret", token=token)
        pending = secret.value("AWSPENDING")
        for number in range(1, 4):
            take(ready, migrate, *STEPS[:number], *STEPS[:number][-1:], token=token)
            assert secret.value("AWSPENDING") == pending
        take(ready, migrate, "finishSecret", token=token)
        for step in STEPS:
            answer = migrate.answer(secret.rotation_event(step=step, token=token))
            assert answer == {"step": step, "done": False}
        assert secret.value() == pending
        assert accepted(ready, pending["password"])

    def test_pass_the_trial_that_secrets_manager_makes_when_the_function_is_set(
        self, ready: Cloud, migrate: Environment
    ) -> None:
        """With `rotate_immediately` off it asks for testSecret alone, of a version with the present value."""
        secret, before = ready.application, ready.application.value()
        token = secret.begin_rotation()
        text, stages = json.dumps(before), ["AWSPENDING"]
        secret.client.put_secret_value(
            SecretId=secret.arn, ClientRequestToken=token, SecretString=text, VersionStages=stages
        )
        take(ready, migrate, "testSecret", token=token)
        assert (secret.value(), accepted(ready, before["password"])) == (before, True)

    def test_do_not_make_current_what_the_database_refuses(self, ready: Cloud, migrate: Environment) -> None:
        secret, before = ready.application, ready.application.value()
        token = secret.begin_rotation()
        take(ready, migrate, "createSecret", token=token)
        for step in ("testSecret", "finishSecret"):
            answer = migrate.invoke(secret.rotation_event(step=step, token=token))
            assert answer["error"] == "UnableToRotate"
            assert "refuses the pending password" in answer["message"]
        assert secret.value() == before
        assert accepted(ready, before["password"])

    def test_stop_where_the_database_knows_neither_password_until_the_owner_mends_it(
        self, ready: Cloud, migrate: Environment
    ) -> None:
        secret = ready.application
        ready.server.query(f"ALTER ROLE {ROLE} PASSWORD 'set by hand'")
        token = secret.begin_rotation()
        take(ready, migrate, "createSecret", token=token)
        answer = migrate.invoke(secret.rotation_event(step="setSecret", token=token))
        assert answer["error"] == "UnableToRotate"
        assert "run `zappa manage <stage>_migrate prepare_database`" in answer["message"]
        migrate.answer({"manage": "prepare_database"})
        take(ready, migrate, *STEPS[1:], token=token)
        assert accepted(ready, secret.value()["password"])

    def test_of_another_secret_version_or_name_are_refused(self, ready: Cloud, migrate: Environment) -> None:
        secret, before = ready.application, ready.application.value()
        token = secret.begin_rotation()
        for event, error in (
            (ready.owner.rotation_event(step="createSecret", token=token), "UnroutedEvent"),
            (secret.rotation_event(step="dropSecret", token=token), "UnroutedEvent"),
            (secret.rotation_event(step="createSecret", token="another-version"), "UnableToRotate"),
        ):
            assert migrate.invoke(event)["error"] == error
        assert secret.value() == before
        assert secret.labels(token) == ["AWSPENDING"]

    def test_leave_no_password_in_a_log(self, ready: Cloud, migrate: Environment) -> None:
        """The server logs every statement, as RDS may be configured to."""
        passwords = {ready.application.value()["password"]}
        token = ready.application.begin_rotation()
        take(ready, migrate, *STEPS, token=token)
        passwords |= {ready.application.value()["password"]}
        assert len(passwords) == 2
        server, product = ready.server.log.read_text(), migrate.log.read_text()
        assert f'ALTER ROLE "{ROLE}" PASSWORD' in server
        assert "a step of the rotation was taken" in product
        assert [log for log in (server, product) for password in passwords if password in log] == []


class TestInMidRun:
    def test_loses_no_request_sweep_or_batch(self, ready: Cloud, migrate: Environment) -> None:
        secret, before = ready.application, ready.application.value()["password"]
        with traffic(ready) as seen:
            seen.wait_for_more()
            token = secret.begin_rotation()
            for step in STEPS:
                take(ready, migrate, step, token=token)
                seen.wait_for_more()
        assert seen.lost == []
        assert all(seen.answered[kind] >= 5 * NEEDED_EACH for kind in KINDS)
        assert (accepted(ready, before), accepted(ready, secret.value()["password"])) == (False, True)
        opened = seen.answered["account opened"]
        assert ready.server.query("SELECT count(*) FROM accounts_account") == [(opened,)]
        assert ready.server.query("SELECT status, count(*) FROM rebilling_rebilling GROUP BY 1") == [
            ("CHARGED", opened)
        ]
        assert ready.server.query("SELECT type, count(*) FROM ledger_entry GROUP BY 1 ORDER BY 1") == [
            ("charge", opened),
            ("payment", opened),
        ]
