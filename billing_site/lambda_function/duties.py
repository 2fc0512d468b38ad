"""The duties of functions: each serves its own kinds of events and commands, with its own role, and no others."""

import enum
import os

from django.conf import settings

from billing_site.errors import UnableToStart


class Duty(enum.StrEnum):
    API = "api"
    WORKER = "worker"
    MIGRATE = "migrate"


def on_lambda() -> bool:
    """Whether this process is an environment of a Lambda function."""
    return bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


def duties() -> frozenset[Duty]:
    """This process's duties: the one in FUNCTION_DUTY. Without it, off Lambda, a process has all of them.

    Raises `UnableToStart` for an unknown duty, and on Lambda for a missing one.
    """
    name = settings.FUNCTION_DUTY
    if not name and not on_lambda():
        return frozenset(Duty)
    if name not in set(Duty):
        raise UnableToStart(f"FUNCTION_DUTY is {name!r}: set it to {', '.join(Duty)}")
    return frozenset({Duty(name)})
