"""The first login of an installation, and the way back in for who has lost theirs. All others are made in the admin."""

from django.db import transaction
from django.utils.crypto import get_random_string

from accounts.refusals import Conflict, Missing
from backoffice.models import User

PASSWORD_LENGTH = 24


class LoginTaken(Conflict):
    code = "login-taken"


class UnknownLogin(Missing):
    code = "unknown-login"


def make_superuser(*, username: str, email: str) -> str:
    """A new superuser; returns the password, which nobody can see again. Raises `LoginTaken`."""
    password = get_random_string(PASSWORD_LENGTH)
    with transaction.atomic():
        if User.objects.filter(username=username).exists():
            raise LoginTaken(f"There is a login {username} already.")
        User.objects.create_superuser(username=username, email=email, password=password)
    return password


def reset_password(*, username: str) -> str:
    """A new password for a login that works; sessions begun with the old one end. Raises `UnknownLogin`."""
    password = get_random_string(PASSWORD_LENGTH)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=username, is_active=True).first()
        if user is None:
            raise UnknownLogin(f"There is no login {username} that works.")
        user.set_password(password)
        user.save(update_fields=["password"])
    return password
