"""A function's start, in an environment of its own: one line says what is missing or wrong, and the start ends."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lambdas.denial import denying_sqs
from tests.support.lambdas.environments import ROLE, SECRET_KEY, SITE, Cloud, Environment, cloud, request_event
from tests.support.lambdas.password_server import HOST
from tests.support.lambdas.secrets import Secret
from tests.support.lambdas.tls import a_certificate, tls_in_front_of

HIDDEN = "hidden-value-of-the-tests"


STRIPE = "payments.gateways.stripe.gateway.StripeGateway"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with cloud(folder=tmp_path_factory.mktemp("cloud")) as made:
        yield made


@pytest.fixture(scope="module")
def migrate(made: Cloud) -> Iterator[Environment]:
    with made.environment("migrate") as environment:
        yield environment


@pytest.fixture(scope="module")
def migrated(made: Cloud, migrate: Environment) -> Cloud:
    migrate.answer({"manage": "prepare_database"})
    migrate.answer({"manage": "migrate --noinput -v0"})
    return made


def reason_of(made: Cloud, duty: str, **variables: str) -> str:
    """The one line that says why it didn't start. Nothing of the log shows what is secret."""
    refusal = made.refusal(duty, **variables)
    (line,) = refusal.lines
    assert (line["level"], "\n" in line["message"]) == ("CRITICAL", False)
    for secret in (HIDDEN, SECRET_KEY, made.application.value()["password"], made.owner.value()["password"]):
        assert secret not in refusal.log
    return str(line["message"]).removeprefix("not started: ")


class TestBeforeThereIsADatabase:
    """In this order: a new account, from nothing to the first request."""

    def test_the_role_is_missing_first(self, made: Cloud) -> None:
        why = reason_of(made, "api")
        assert why.startswith("the database can't be used: the database refuses every password of the secret arn:")
        assert why.endswith("run `zappa manage <stage>_migrate prepare_database`, which gives the role the secret's")

    def test_then_the_tables_and_the_migrating_function_makes_both(self, made: Cloud, migrate: Environment) -> None:
        migrate.answer({"manage": "prepare_database"})
        assert re.fullmatch(
            r"\d+ migrations aren't applied, the first accounts\.0001_plans_accounts_and_terms: "
            r"run `zappa manage <stage>_migrate migrate` with this release",
            reason_of(made, "worker"),
        )

    def test_half_of_them_are_not_enough(self, made: Cloud, migrate: Environment) -> None:
        migrate.answer({"manage": "prepare_database"})
        migrate.answer({"manage": "migrate --noinput -v0"})
        migrate.answer({"manage": "migrate rebilling 0001 --noinput -v0"})
        assert "migrations aren't applied, the first rebilling.0002_rules: " in reason_of(made, "api")
        migrate.answer({"manage": "migrate --noinput -v0"})
        with made.environment("worker") as worker:
            assert worker.answer({"command": "reconcile", "time": "2026-01-01T00:00:00Z"})["unexplained"] == 0

    def test_more_of_them_than_a_release_knows_are_another_release_rolled_back(self, migrated: Cloud) -> None:
        migrated.server.query(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('ledger', '0999_of_a_later_release', now())"
        )
        try:
            with migrated.environment("worker") as worker:
                assert worker.answer({"manage": "check"})["output"].startswith("System check identified no issues")
        finally:
            migrated.server.query("DELETE FROM django_migrations WHERE name = '0999_of_a_later_release'")


class TestWhatIsMissingOrWrong:
    @pytest.mark.parametrize(
        ("duty", "variables", "why"),
        [
            ("worker", {"FUNCTION_DUTY": ""}, "FUNCTION_DUTY is '': set it to api, worker, migrate"),
            ("worker", {"DEBUG": "true"}, "DEBUG is on: its pages show settings and data to anyone. Unset it. "),
            ("worker", {"DJANGO_SECRET_ARN": ""}, "There is no SECRET_KEY: set DJANGO_SECRET_ARN to a secret that "),
            ("worker", {"REBILLING_QUEUE_URL": ""}, "REBILLING_QUEUE_URL is missing: set it to the queue's URL. "),
            ("api", {"PAYMENT_GATEWAY": ""}, "PAYMENT_GATEWAY is missing: name the class that collects the money, "),
            ("worker", {"PAYMENT_GATEWAY": ""}, "PAYMENT_GATEWAY is missing: name the class that collects the money, "),
            ("worker", {"PAYMENT_GATEWAY": STRIPE}, "PAYMENT_GATEWAY is Stripe, and STRIPE_API_KEY is empty. "),
            ("api", {"PAYMENT_LEASE_SECONDS": "1"}, "PAYMENT_LEASE_SECONDS (1) must be longer than "),
            ("api", {"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS is empty: set it to the host names that clients use. "),
            (
                "api",
                {"CSRF_TRUSTED_ORIGINS": SITE},
                "As of Django 4.0, the values in the CSRF_TRUSTED_ORIGINS setting ",
            ),
            ("worker", {"REBILLING_DUE_MINUTES": "1h"}, "REBILLING_DUE_MINUTES must be a whole number, 0 or more."),
            (
                "api",
                {"BILLING_TIME_ZONE": "Europe/Berln"},
                "BILLING_TIME_ZONE must be a time zone of the IANA database, ",
            ),
            ("migrate", {"LOG_LEVEL": "chatty"}, "LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL."),
            (
                "migrate",
                {"VOLUME_CHECK_FIRST_AMOUNTS": "USD=1,XQQ=1"},
                "VOLUME_CHECK_FIRST_AMOUNTS: XQQ is no currency. (billing_site.E010)",
            ),
            ("worker", {"DATABASE_HOST": ""}, "There is no database: set DATABASE_SECRET_ARN with DATABASE_HOST and "),
            ("worker", {"DATABASE_PORT": "9"}, "the database can't be used: connection to server at "),
            ("worker", {"DATABASE_SSLMODE": "require"}, "the database can't be used: connection to server at "),
            ("api", {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9"}, "the queue in REBILLING_QUEUE_URL can't be used: "),
            (
                "worker",
                {"DATABASE_SECRET_ARN": "arn:none"},
                "the database can't be used: the secret arn:none can't be ",
            ),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
    )
    def test_is_reported(self, migrated: Cloud, duty: str, variables: dict[str, str], why: str) -> None:
        assert reason_of(migrated, duty, **variables).startswith(why)

    def test_is_a_queue_that_is_not_there(self, migrated: Cloud) -> None:
        url = f"{migrated.queue.endpoint.queue_url}-of-nobody"
        assert "NonExistentQueue" in reason_of(migrated, "worker", REBILLING_QUEUE_URL=url)

    @pytest.mark.parametrize("duty", ["api", "worker"])
    def test_is_a_queue_that_denies_to_be_looked_at(self, migrated: Cloud, duty: str) -> None:
        with denying_sqs() as url:
            why = reason_of(migrated, duty, AWS_ENDPOINT_URL_SQS=url)
        assert why.startswith("the queue in REBILLING_QUEUE_URL denies this function a look: is it this environment's ")

    @pytest.mark.parametrize(
        ("name", "content", "why"),
        [
            ("DJANGO_SECRET_ARN", HIDDEN, "must be a JSON object"),
            (
                "DJANGO_SECRET_ARN",
                {"SECRET_KEY": HIDDEN},
                "SECRET_KEY is weak: it must be a random text of at least 50",
            ),
            ("STRIPE_SECRET_ARN", {"KEY": HIDDEN}, "must have a text 'STRIPE_API_KEY' in its JSON object"),
            ("DATABASE_SECRET_ARN", {"username": ROLE}, "must have a text 'password' in its JSON object"),
            ("DATABASE_SECRET_ARN", {"username": ROLE, "password": HIDDEN}, "the database refuses every password of"),
        ],
    )
    def test_is_a_secret(self, migrated: Cloud, name: str, content: object, why: str) -> None:
        assert why in reason_of(migrated, "worker", **{name: Secret.made(migrated.client, content).arn})


class TestWhatStarts:
    def test_has_the_keys_of_its_secrets_and_the_log_level_of_its_settings(self, migrated: Cloud) -> None:
        """Zappa's own settings ask for DEBUG here, and so does Lambda's own before ours are read."""
        with migrated.environment("api", AWS_LAMBDA_LOG_LEVEL="DEBUG") as api:
            assert api.answer(request_event("/healthz"))["statusCode"] == 200
            assert api.answer(request_event("/admin/login/"))["statusCode"] == 200
            log = api.log.read_text()
        assert '"level": "INFO", "logger": "zappa.wsgi"' in log
        for secret in (SECRET_KEY, migrated.application.value()["password"]):
            assert secret not in log

    def test_collects_through_stripe_with_the_key_of_its_secret(self, migrated: Cloud) -> None:
        stripe = Secret.made(migrated.client, {"STRIPE_API_KEY": f"sk_test_{HIDDEN}"})
        name = migrated.queue.endpoint.queue_url.rsplit("/", 1)[-1]
        variables = {"PAYMENT_GATEWAY": STRIPE, "STRIPE_SECRET_ARN": stripe.arn, "AWS_LAMBDA_LOG_LEVEL": "DEBUG"}
        with migrated.environment("worker", **variables) as worker:
            # It makes the gateway for each message, whatever the message holds.
            event = {
                "Records": [
                    {
                        "messageId": "m1",
                        "body": "poison",
                        "eventSource": "aws:sqs",
                        "eventSourceARN": f"arn:aws:sqs:us-east-1:1:{name}",
                    }
                ]
            }
            assert worker.answer(event) == {"batchItemFailures": [{"itemIdentifier": "m1"}]}
            assert HIDDEN not in worker.log.read_text()

    def test_is_a_migrating_function_without_the_gateways_key(self, migrated: Cloud) -> None:
        with migrated.environment("migrate", PAYMENT_GATEWAY=STRIPE) as migrate:
            migrate.answer({"manage": "migrate --noinput -v0"})
            assert migrate.answer({"manage": "check"})["output"].startswith("System check identified no issues")

    def test_is_an_api_without_the_gateways_key_even_where_its_secret_is_named(self, migrated: Cloud) -> None:
        """Its role may not read that: it must not try."""
        with migrated.environment("api", PAYMENT_GATEWAY=STRIPE, STRIPE_SECRET_ARN="arn:aws:none") as api:
            assert api.answer(request_event("/healthz"))["statusCode"] == 200
            assert api.answer({"manage": "check"})["output"].startswith("System check identified no issues")

    def test_answers_a_rest_api_an_http_api_and_a_function_url(self, migrated: Cloud) -> None:
        http_api = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/healthz",
            "rawQueryString": "",
            "headers": {"host": SITE, "x-forwarded-proto": "https"},
            "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/healthz", "sourceIp": "::1"}},
            "isBase64Encoded": False,
        }
        url = http_api | {"requestContext": {"http": {"method": "GET", "path": "/healthz", "sourceIp": "::1"}}}
        with migrated.environment("api") as api:
            for event in (request_event("/healthz"), http_api, url):
                answer = api.answer(event)
                assert (answer["statusCode"], json.loads(answer["body"])) == (200, {"status": "ok"})

    def test_tells_what_failed_in_a_line_that_the_log_table_finds(self, migrated: Cloud) -> None:
        with migrated.environment("worker") as worker:
            answer = worker.invoke({"raw_command": f"print('{HIDDEN}')"})
            assert answer["error"] == "UnroutedEvent"
            lines = [json.loads(line) for line in worker.log.read_text().splitlines() if line.startswith("{")]
        (line,) = (line for line in lines if line["level"] == "ERROR")
        assert (line["message"], line["error"]) == ("an event failed", "UnroutedEvent")
        assert HIDDEN not in json.dumps(lines)


@pytest.fixture(scope="module")
def verified(migrated: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a function that verifies the server, which has TLS then and is called `localhost`."""
    own = a_certificate(folder=tmp_path_factory.mktemp("own") / "authority")
    with tls_in_front_of(port=migrated.server.port, certificate=own) as port:
        yield {
            "DATABASE_HOST": "localhost",
            "DATABASE_PORT": str(port),
            "DATABASE_SSLMODE": "",
            "DATABASE_SSLROOTCERT": str(own.file),
        }


class TestVerification:
    @pytest.mark.parametrize("duty", ["api", "worker", "migrate"])
    def test_lets_a_function_start_and_work(self, migrated: Cloud, verified: dict[str, str], duty: str) -> None:
        event = {"manage": "showmigrations --database owner"} if duty == "migrate" else {"manage": "check"}
        with migrated.environment(duty, **verified) as environment:
            assert environment.answer(event)["output"]

    @pytest.mark.parametrize("duty", ["api", "worker"])
    def test_refuses_a_server_of_another_authority(
        self, migrated: Cloud, verified: dict[str, str], tmp_path: Path, duty: str
    ) -> None:
        other = a_certificate(folder=tmp_path / "other")
        why = reason_of(migrated, duty, **verified | {"DATABASE_SSLROOTCERT": str(other.file)})
        assert why.startswith("the database can't be used: connection to server at ")
        assert "certificate verify failed: download RDS's bundle anew and make the package, or look at" in why

    @pytest.mark.parametrize("duty", ["api", "worker"])
    def test_refuses_a_server_of_another_name(self, migrated: Cloud, verified: dict[str, str], duty: str) -> None:
        why = reason_of(migrated, duty, **verified | {"DATABASE_HOST": HOST})
        assert 'does not match host name "127.0.0.1": download RDS\'s bundle anew and make the package, or ' in why

    @pytest.mark.parametrize("duty", ["api", "worker", "migrate"])
    @pytest.mark.parametrize("content", ["", "-----BEGIN CERTIFICATE-----"])
    def test_is_not_done_by_a_file_that_is_no_bundle(
        self, migrated: Cloud, verified: dict[str, str], tmp_path: Path, duty: str, content: str
    ) -> None:
        file = tmp_path / "rds.pem"
        fault = "can't be read (No such file or directory)"
        if content:
            file.write_text(content)
            fault = "isn't a bundle of certificates in PEM"
        assert reason_of(migrated, duty, **verified | {"DATABASE_SSLROOTCERT": str(file)}) == (
            f"The database can't be verified: {file}, which DATABASE_SSLROOTCERT names, {fault}. Download RDS's bundle "
            "to certificates/rds.pem and make the package anew. (billing_site.E012)"
        )

    def test_is_not_half_done(self, migrated: Cloud, verified: dict[str, str]) -> None:
        why = reason_of(migrated, "migrate", **verified | {"DATABASE_SSLMODE": "verify-ca"})
        assert why.startswith("DATABASE_SSLMODE is verify-ca, which verifies too little by DATABASE_SSLROOTCERT")
