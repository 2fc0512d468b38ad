"""The first login, made where no terminal asks for a password."""

import io

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import Client

from backoffice.models import User
from tests.support.databases import rolled_back

pytestmark = rolled_back


def ran(*arguments: str) -> str:
    output = io.StringIO()
    call_command("create_login", *arguments, stdout=output)
    return output.getvalue().splitlines()[-1]


class TestCreateLogin:
    def test_creates_a_superuser_with_a_password_that_is_printed_once(self) -> None:
        password = ran("anna", "--email", "anna@example.com")
        anna = User.objects.get()
        assert (anna.username, anna.email, anna.is_superuser, anna.is_staff) == ("anna", "anna@example.com", True, True)
        assert len(password) == 24
        assert authenticate(username="anna", password=password) == anna

    def test_refuses_a_name_that_is_taken(self) -> None:
        password = ran("anna", "--email", "anna@example.com")
        with pytest.raises(CommandError, match=r"^There is already a login anna\.$"):
            ran("anna", "--email", "eve@example.com")
        assert authenticate(username="anna", password=password) is not None
        assert User.objects.get().email == "anna@example.com"

    @pytest.mark.parametrize("name", ["", " ", "an na", "anna\n", "\u202eanna", "\u200b", "anna\x1b[31m", "x" * 151])
    def test_refuses_an_invalid_username(self, name: str) -> None:
        with pytest.raises(CommandError, match=r"^No login was created\. "):
            ran(name, "--email", "anna@example.com")
        assert User.objects.count() == 0

    def test_refuses_an_invalid_email_address(self) -> None:
        with pytest.raises(CommandError, match=r"^No login was created\. Enter a valid email address\.$"):
            ran("anna", "--email", "anna")
        assert User.objects.count() == 0

    def test_sets_a_new_password_and_ends_sessions_of_the_old_one(self) -> None:
        before = ran("anna", "--email", "anna@example.com")
        client = Client()
        assert client.login(username="anna", password=before)
        after = ran("anna", "--reset")
        assert authenticate(username="anna", password=before) is None
        assert authenticate(username="anna", password=after) is not None
        assert client.get("/admin/").status_code == 302

    def test_does_not_reset_unknown_or_inactive_logins(self) -> None:
        before = ran("anna", "--email", "anna@example.com")
        User.objects.update(is_active=False)
        for name in ("anna", "nobody"):
            with pytest.raises(CommandError, match=f"^There is no active login {name}.$"):
                ran(name, "--reset")
        User.objects.update(is_active=True)
        assert authenticate(username="anna", password=before) is not None
