"""Failed logins, how long a session lasts, and what pages may load."""

import datetime
import logging
import re
from typing import Any

import pytest
import time_machine
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from backoffice.models import User
from tests.functional.backoffice.conftest import logged_in
from tests.support.databases import rolled_back

PASSWORD = "a password for this test"
HERE = "203.0.113.5"
ELSEWHERE = "198.51.100.7"


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_superuser("anna", "anna@example.com", PASSWORD)


def tried(password: str, *, address: str = HERE, username: str = "anna") -> Any:
    credentials = {"username": username, "password": password}
    return Client().post("/admin/login/?next=/admin/", credentials, REMOTE_ADDR=address)


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.event for record in caplog.records if hasattr(record, "event")]


@rolled_back
class TestWrongPasswords:
    def test_lock_the_name_where_they_come_from_and_nowhere_else(
        self, anna: User, settings: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
        anna.set_password(PASSWORD)
        anna.save()
        with caplog.at_level(logging.WARNING):
            answers = [tried(f"wrong {number}").status_code for number in range(200)]
        assert answers == [200] * 4 + [429] * 196
        assert events(caplog).count("login.failed") == 200
        assert events(caplog).count("login.locked") >= 1
        assert "wrong 1" not in caplog.text
        locked = tried(PASSWORD)
        assert (locked.status_code, locked["Retry-After"]) == (429, "900")
        assert tried(PASSWORD, address=ELSEWHERE).status_code == 302
        User.objects.create_superuser("otto", "otto@example.com", PASSWORD)
        assert tried(PASSWORD, username="otto").status_code == 302

    def test_are_forgiven_after_a_quarter_of_an_hour(self, anna: User) -> None:
        now = timezone.now()
        with time_machine.travel(now, tick=False):
            assert [tried("wrong").status_code for _ in range(5)][-1] == 429
        with time_machine.travel(now + datetime.timedelta(minutes=14), tick=False):
            assert tried(PASSWORD).status_code == 429
        with time_machine.travel(now + datetime.timedelta(minutes=16), tick=False):
            assert tried(PASSWORD).status_code == 302

    def test_are_forgotten_with_a_right_one(self, anna: User) -> None:
        for _ in range(3):
            assert {tried("wrong").status_code for _ in range(4)} == {200}
            assert tried(PASSWORD).status_code == 302


@rolled_back
class TestSession:
    def test_ends_half_an_hour_after_the_last_request(self) -> None:
        now = timezone.now()
        with time_machine.travel(now, tick=False):
            client = logged_in("sam", superuser=True)
        for minutes, status in ((29, 200), (58, 200), (89, 302)):
            with time_machine.travel(now + datetime.timedelta(minutes=minutes), tick=False):
                assert client.get("/admin/").status_code == status

    def test_ends_twelve_hours_after_the_login(self) -> None:
        now = timezone.now()
        with time_machine.travel(now, tick=False):
            client = logged_in("sam", superuser=True)
        answers = []
        for minutes in range(20, 12 * 60 + 1, 20):
            with time_machine.travel(now + datetime.timedelta(minutes=minutes), tick=False):
                answers.append(client.get("/admin/").status_code)
        assert answers == [200] * 35 + [302]


@rolled_back
class TestPassword:
    @pytest.mark.parametrize("password", ["annabelle-1", "AnnaBelle", "anna.belle@ex"])
    def test_is_not_like_the_name(self, password: str) -> None:
        user = User(username="annabelle", email="anna.belle@example.com")
        with pytest.raises(ValidationError, match="too similar"):
            validate_password(password, user)


@rolled_back
class TestContentPolicy:
    @pytest.mark.parametrize("path", ["/admin/login/", "/v1/docs", "/healthz", "/admin/"])
    def test_lets_pages_load_nothing_from_elsewhere_and_nothing_inline(self, client: Client, path: str) -> None:
        policy = client.get(path)["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe|https?:|\*", policy)
