"""Base classes for the errors of operations. Each operation's own errors live beside it.

An interface shows `detail`, and `errors` by field where there are some. An operation that raises one changed nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError


class OperationError(Exception):
    """Base of the anticipated errors. `code` is a stable slug of its own, `detail` says what was refused, and `errors`,
    by field, how to fix it.
    """

    code = "refused"

    def __init__(self, detail: str, **errors: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Missing(OperationError):
    """What was named doesn't exist."""

    code = "not-found"


class Invalid(OperationError):
    """A value can't be accepted; `errors` names the field."""

    code = "invalid"


class Conflict(OperationError):
    """The request is sound but the present state forbids it.

    Where `passing` is true, waiting is enough: a payment's outcome becomes known, a lease ends. The same request may
    then succeed later, so no interface stores its refusal as the final answer.
    """

    code = "conflict"
    passing = False


def violated_constraint(error: IntegrityError) -> str:
    """The name of the database constraint that refused, or an empty string."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""


@contextmanager
def refined(errors: Mapping[str, OperationError]) -> Iterator[None]:
    """Raise the error that belongs to the violated constraint, by the constraint's name.

    The database enforces the rule; this gives it a message. Wrap the innermost `atomic`: its savepoint is rolled
    back.
    """
    try:
        yield
    except IntegrityError as error:
        refusal = errors.get(violated_constraint(error))
        if refusal is None:
            raise
        raise refusal from error
