"""What an operation answers when it can't do what was asked. Each operation's own refusals live beside it.

An interface shows `detail`, and `errors` by field where there are some. Nothing was changed when one is raised.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from django.db import IntegrityError


class Refusal(Exception):
    """Base of the anticipated errors. `code` is a stable slug; the message says what to mend."""

    code = "refused"

    def __init__(self, detail: str, **errors: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors


class Missing(Refusal):
    """What was named doesn't exist."""

    code = "not-found"


class Invalid(Refusal):
    """A value can't be accepted; `errors` names the field."""

    code = "invalid"


class Conflict(Refusal):
    """The request is sound but the present state forbids it.

    Where `passing` is true, waiting changes that by itself: a payment's outcome comes, a lease ends. The same request
    may then be done later, and no interface keeps its refusal as the answer for good.
    """

    code = "conflict"
    passing = False


def violated_constraint(error: IntegrityError) -> str:
    """The name of the database constraint that refused, or an empty string."""
    return getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or ""


@contextmanager
def refined(refusals: Mapping[str, Refusal]) -> Iterator[None]:
    """Raise the refusal that belongs to the violated constraint, by the constraint's name.

    The database holds the rule; this gives it words. Wrap the innermost `atomic`, whose savepoint is then undone.
    """
    try:
        yield
    except IntegrityError as error:
        refusal = refusals.get(violated_constraint(error))
        if refusal is None:
            raise
        raise refusal from error
