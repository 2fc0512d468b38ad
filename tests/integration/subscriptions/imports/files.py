"""Files to import, as text, and what becomes of them."""

import datetime
import io

import pytest

from accounts.models import Account, AccountChange
from subscriptions.imports.import_accounts import Imported, UnableToImport, import_accounts

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
AS_OF = datetime.date(2026, 11, 22)
REQUIRED = "external_reference,name,email,plan,anchor_date"


def take(
    content: str | bytes, *, as_of: datetime.date = AS_OF, dry_run: bool = False, now: datetime.datetime = NOW
) -> Imported:
    data = content.encode() if isinstance(content, str) else content
    return import_accounts(file=io.BytesIO(data), as_of=as_of, author="test", now=now, dry_run=dry_run)


def names(content: str | bytes) -> dict[str, str]:
    """The names of the accounts that an import of the content takes, by reference."""
    take(content)
    return {account.external_reference or "": account.name for account in Account.objects.all()}


def file_of(*rows: str, header: str = REQUIRED) -> str:
    return "\n".join([header, *rows]) + "\n"


def refused(content: str | bytes) -> UnableToImport:
    """The refusal of an import of the content. Nothing moved."""
    before = Account.objects.count(), AccountChange.objects.count()
    with pytest.raises(UnableToImport) as caught:
        take(content)
    assert (Account.objects.count(), AccountChange.objects.count()) == before
    return caught.value


def errors(content: str | bytes) -> list[str]:
    """The problems that an import of the content names, of all its bad rows. Nothing moved."""
    refusal = refused(content)
    assert refusal.more == 0
    return [str(problem) for problem in refusal.problems]


def row(reference: str = "A1", *, name: str = "Ann", email: str = "ann@ann.example", anchor: str = "2026-01-31") -> str:
    return f"{reference},{name},{email},basic,{anchor}"
