"""The first login of an installation, and new passwords for lost ones. All other logins are created in the admin."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.crypto import get_random_string

from accounts.errors import Conflict, Invalid, Missing
from backoffice.models import User

PASSWORD_LENGTH = 24


class UnableToCreateLogin(Invalid):
    """The username or the e-mail address isn't valid."""

    code = "unable-to-create-login"


class LoginTaken(Conflict):
    code = "login-taken"


class UnknownLogin(Missing):
    code = "unknown-login"


def create_superuser(*, username: str, email: str) -> str:
    """Create a superuser; returns the password, which isn't stored. Raises `UnableToCreateLogin`, `LoginTaken`."""
    try:
        # The username signs what the person does. The admin, where all other logins are created, checks it too.
        User(username=username, email=email).clean_fields(exclude={"password"})
    except ValidationError as error:
        errors = {name: " ".join(messages) for name, messages in error.message_dict.items()}
        raise UnableToCreateLogin("No login was created.", **errors) from None
    password = get_random_string(PASSWORD_LENGTH)
    with transaction.atomic():
        if User.objects.filter(username=username).exists():
            raise LoginTaken(f"There is already a login {username}.")
        User.objects.create_superuser(username=username, email=email, password=password)
    return password


def reset_password(*, username: str) -> str:
    """A new password for an active login; sessions begun with the old one end. Raises `UnknownLogin`."""
    password = get_random_string(PASSWORD_LENGTH)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=username, is_active=True).first()
        if user is None:
            raise UnknownLogin(f"There is no active login {username}.")
        user.set_password(password)
        user.save(update_fields=["password"])
    return password
