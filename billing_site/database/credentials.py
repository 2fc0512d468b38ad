"""The database's credentials in Secrets Manager: read once, kept for the life of the process, and read again when the
database refuses them, for a rotation changes them while environments live.
"""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

from billing_site.secrets.store import CURRENT, PENDING, NoSuchVersion, secret_fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A role and its password, which no representation shows."""

    username: str
    password: str = field(repr=False)

    @classmethod
    def read(cls, *, arn: str, stage: str = CURRENT, version: str = "") -> Self:
        """What the secret holds now. Raises `UnableToReadSecret`."""
        return cls(**secret_fields(arn=arn, names=("username", "password"), stage=stage, version=version))

    def parameters(self) -> dict[str, str]:
        """As libpq names them."""
        return {"user": self.username, "password": self.password}


_kept: dict[str, Credentials] = {}
_reading = threading.Lock()


def kept_credentials(*, arn: str) -> Credentials:
    """The secret's credentials, as this process knows them. Raises `UnableToReadSecret`."""
    with _reading:
        if arn not in _kept:
            _kept[arn] = Credentials.read(arn=arn)
        return _kept[arn]


def keep(*, arn: str, credentials: Credentials) -> None:
    """The database has taken them: they are what the next connection is made with."""
    _kept[arn] = credentials


def read_again(*, arn: str, refused: Credentials) -> Iterator[Credentials]:
    """What else to try, the likeliest first; never what was refused, nor anything twice. Raises `UnableToReadSecret`.

    Between Secrets Manager's steps setSecret and finishSecret the database has the pending password already. And when
    the last step comes between our two looks, what was pending is current.
    """
    tried = [refused]
    for stage in (CURRENT, PENDING, CURRENT):
        try:
            found = Credentials.read(arn=arn, stage=stage)
        except NoSuchVersion:
            if stage == CURRENT:
                raise
            continue
        if found not in tried:
            tried.append(found)
            yield found
