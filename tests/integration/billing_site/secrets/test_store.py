"""Secrets read at run time: a malformed one is refused in a line without the secret, and credentials are kept."""

import logging
import socket
import time
import traceback
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_site.database.credentials import Credentials, keep, kept_credentials, read_again
from billing_site.environment import Environment
from billing_site.secrets.settings import from_secret
from billing_site.secrets.store import NoSuchVersion, UnableToReadSecret, client, secret_fields
from tests.support.lambdas.secrets import Secret
from tests.support.secrets_manager import forget, secrets_manager

HIDDEN = "hidden-value-of-the-tests"


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with secrets_manager() as client:
        yield client


@pytest.fixture
def secret(manager: Any) -> Iterator[Secret]:
    forget()
    yield Secret.made(manager, {"username": "billing_app", "password": HIDDEN})
    forget()


def credentials(password: str) -> Credentials:
    return Credentials(username="billing_app", password=password)


class TestSecretFields:
    def test_are_those_that_are_named(self, secret: Secret) -> None:
        assert secret_fields(arn=secret.arn, names=("password",)) == {"password": HIDDEN}

    @pytest.mark.parametrize(
        ("content", "why"),
        [
            (f"{HIDDEN}", "must be a JSON object"),
            (f'{{"password": "{HIDDEN}"', "must be a JSON object"),
            ([HIDDEN], "must be a JSON object"),
            ({"username": HIDDEN}, "must have a text 'password' in its JSON object"),
            ({"username": HIDDEN, "password": ""}, "must have a text 'password' in its JSON object"),
            ({"username": HIDDEN, "password": 987654}, "must have a text 'password' in its JSON object"),
            ({"username": HIDDEN, "password": None}, "must have a text 'password' in its JSON object"),
        ],
    )
    def test_of_a_malformed_secret_are_refused_without_showing_it(
        self, secret: Secret, content: object, why: str
    ) -> None:
        secret.put(content)
        with pytest.raises(UnableToReadSecret) as caught:
            secret_fields(arn=secret.arn, names=("username", "password"))
        assert str(caught.value) == f"the secret {secret.arn} {why}"
        shown = "".join(traceback.format_exception(caught.value))
        assert HIDDEN not in shown
        assert "987654" not in shown

    def test_of_a_secret_that_is_not_there_name_it(self, secret: Secret) -> None:
        with pytest.raises(NoSuchVersion) as caught:
            secret_fields(arn=f"{secret.arn}x", names=("password",))
        assert str(caught.value) == (
            f"the secret {secret.arn}x can't be read (ResourceNotFoundException): look at its ARN, its AWSCURRENT "
            "version and the function's role"
        )

    def test_are_given_up_within_a_starts_ten_seconds(self, monkeypatch: pytest.MonkeyPatch, secret: Secret) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            forget()
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
            began = time.monotonic()
            with pytest.raises(UnableToReadSecret, match=r"can't be reached \(ReadTimeoutError\)"):
                secret_fields(arn=secret.arn, names=("password",))
            assert 3 <= time.monotonic() - began < 9

    def test_are_in_no_log_at_any_level(self, secret: Secret, caplog: pytest.LogCaptureFixture) -> None:
        """Zappa sets the root logger to DEBUG by default, at which botocore logs each answer."""
        forget()
        with caplog.at_level(logging.DEBUG):
            logging.getLogger("some.library").debug("heard")
            assert kept_credentials(arn=secret.arn).password == HIDDEN
        assert "heard" in caplog.text
        assert HIDDEN not in caplog.text


class TestCredentials:
    def test_are_read_once_and_kept(self, secret: Secret) -> None:
        first = kept_credentials(arn=secret.arn)
        secret.put({"username": "billing_app", "password": "another"})
        with mock.patch.object(client(), "get_secret_value", side_effect=AssertionError("asked again")):
            assert kept_credentials(arn=secret.arn) is first

    def test_that_the_database_took_are_kept(self, secret: Secret) -> None:
        kept_credentials(arn=secret.arn)
        keep(arn=secret.arn, credentials=credentials("taken"))
        assert kept_credentials(arn=secret.arn) == credentials("taken")

    def test_show_no_password(self) -> None:
        assert repr(credentials(HIDDEN)) == "Credentials(username='billing_app')"


class TestReadAgain:
    def test_finds_what_a_rotation_made_current(self, secret: Secret) -> None:
        secret.put({"username": "billing_app", "password": "new"})
        assert list(read_again(arn=secret.arn, refused=credentials(HIDDEN))) == [credentials("new")]

    def test_finds_what_is_pending_when_the_current_one_was_refused(self, secret: Secret) -> None:
        self._make_pending(secret, "pending")
        assert list(read_again(arn=secret.arn, refused=credentials(HIDDEN))) == [credentials("pending")]

    def test_tries_the_current_one_before_the_pending_one(self, secret: Secret) -> None:
        """Kept for longer than a rotation, and the next has begun."""
        self._make_pending(secret, "pending")
        assert list(read_again(arn=secret.arn, refused=credentials("older"))) == [
            credentials(HIDDEN),
            credentials("pending"),
        ]

    def test_looks_once_more_when_the_rotation_ends_between_two_looks(self, secret: Secret) -> None:
        token = self._make_pending(secret, "pending")
        found = read_again(arn=secret.arn, refused=credentials("older"))
        assert next(found) == credentials(HIDDEN)
        # The last step, and the label taken away with it.
        (before,) = (v for v, stages in self._versions(secret).items() if "AWSCURRENT" in stages)
        move = {"SecretId": secret.arn, "VersionStage": "AWSCURRENT"}
        secret.client.update_secret_version_stage(**move, MoveToVersionId=token, RemoveFromVersionId=before)
        move["VersionStage"] = "AWSPENDING"
        secret.client.update_secret_version_stage(**move, RemoveFromVersionId=token)
        assert list(found) == [credentials("pending")]

    def test_finds_nothing_when_nothing_changed(self, secret: Secret) -> None:
        assert list(read_again(arn=secret.arn, refused=credentials(HIDDEN))) == []

    def _make_pending(self, secret: Secret, password: str) -> str:
        token = secret.begin_rotation()
        text = f'{{"username": "billing_app", "password": "{password}"}}'
        stages = {"VersionStages": ["AWSPENDING"]}
        secret.client.put_secret_value(SecretId=secret.arn, ClientRequestToken=token, SecretString=text, **stages)
        return token

    def _versions(self, secret: Secret) -> dict[str, list[str]]:
        found: dict[str, list[str]] = secret.client.describe_secret(SecretId=secret.arn)["VersionIdsToStages"]
        return found


class TestFromSecret:
    def test_takes_the_environment_first(self, secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STRIPE_API_KEY", "sk_test_here")
        monkeypatch.setenv("STRIPE_SECRET_ARN", secret.arn)
        assert from_secret(Environment(), "STRIPE_API_KEY", arn_in="STRIPE_SECRET_ARN") == "sk_test_here"

    def test_reads_the_secret_that_is_named(self, secret: Secret, monkeypatch: pytest.MonkeyPatch) -> None:
        secret.put({"STRIPE_API_KEY": "sk_test_there"})
        monkeypatch.delenv("STRIPE_API_KEY", raising=False)
        monkeypatch.setenv("STRIPE_SECRET_ARN", secret.arn)
        assert from_secret(Environment(), "STRIPE_API_KEY", arn_in="STRIPE_SECRET_ARN") == "sk_test_there"

    def test_is_empty_without_either_unless_it_is_required(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("SECRET_KEY", "DJANGO_SECRET_ARN"):
            monkeypatch.delenv(name, raising=False)
        assert from_secret(Environment(), "SECRET_KEY", arn_in="DJANGO_SECRET_ARN") == ""
        with pytest.raises(ImproperlyConfigured) as caught:
            from_secret(Environment(), "SECRET_KEY", arn_in="DJANGO_SECRET_ARN", required=True)
        assert str(caught.value) == (
            "There is no SECRET_KEY: set DJANGO_SECRET_ARN to a secret that holds it, or SECRET_KEY."
        )
