"""The prefix of an account's own numbers, under which its invoices and credit notes count up."""

import secrets
from collections.abc import Callable, Collection
from typing import TypeVar

from django.db import IntegrityError, transaction

from accounts.errors import violated_constraint
from accounts.models import Account

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32, without letters that are read as another (https://www.crockford.com/base32.html)."""
_LENGTH = 10
MAX_DRAWS = 5

Written = TypeVar("Written")


def new_number_prefix() -> str:
    """Ten random letters and digits, so that nobody learns from an invoice how many customers there are.

    Of a million accounts, two get the same prefix once in two thousand times: `with_unused_prefixes` then draws again.
    """
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def with_unused_prefixes(accounts: Collection[Account], write: Callable[[], Written]) -> Written:
    """What `write` returns, which writes the accounts, in a savepoint. Where the database refuses one of their prefixes
    they get others, and it is done again, a few times.
    """
    for _ in range(MAX_DRAWS - 1):
        try:
            with transaction.atomic():
                return write()
        except IntegrityError as error:
            if violated_constraint(error) != "account_number_prefix_once":
                raise
            for account in accounts:
                account.number_prefix = new_number_prefix()
    with transaction.atomic():
        return write()
