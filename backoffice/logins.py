"""The first login of an installation, and the way back in for who has lost theirs. All others are made in the admin."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import get_random_string

from accounts.refusals import Conflict, Invalid, Missing
from backoffice.models import User

PASSWORD_LENGTH = 24


class UnableToMakeLogin(Invalid):
    """The name or the e-mail address can't be accepted."""


class LoginTaken(Conflict):
    code = "login-taken"


class UnknownLogin(Missing):
    code = "unknown-login"


def make_superuser(*, username: str, email: str) -> str:
    """A new superuser; returns the password, which nobody can see again. Raises `UnableToMakeLogin`, `LoginTaken`."""
    try:
        # What the person does is signed with the name. Whoever else makes a login does it in the admin, which checks.
        User(username=username, email=email).clean_fields(exclude={"password"})
    except ValidationError as error:
        faults = {name: " ".join(messages) for name, messages in error.message_dict.items()}
        raise UnableToMakeLogin("No login was made.", **faults) from None
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
