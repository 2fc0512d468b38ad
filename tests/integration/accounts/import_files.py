"""Files to import, as text, and what becomes of them."""

import datetime
import io

import pytest

from accounts.importing import Imported, UnableToImport, import_accounts
from accounts.models import Account, StatusChange

NOW = datetime.datetime(2026, 11, 22, 12, tzinfo=datetime.UTC)
AS_OF = datetime.date(2026, 11, 22)
REQUIRED = "external_reference,name,email,plan,anchor_date"


def take(content: str | bytes, *, as_of: datetime.date = AS_OF, dry_run: bool = False) -> Imported:
    data = content.encode() if isinstance(content, str) else content
    return import_accounts(file=io.BytesIO(data), as_of=as_of, author="test", now=NOW, dry_run=dry_run)


def file_of(*rows: str, header: str = REQUIRED) -> str:
    return "\n".join([header, *rows]) + "\n"


def refusals(content: str | bytes) -> list[str]:
    """The problems that an import of the content names. Nothing moved."""
    before = Account.objects.count(), StatusChange.objects.count()
    with pytest.raises(UnableToImport) as caught:
        take(content)
    assert (Account.objects.count(), StatusChange.objects.count()) == before
    assert caught.value.more == 0
    return [str(problem) for problem in caught.value.problems]


def row(reference: str = "A1", *, name: str = "Ann", email: str = "ann@ann.example", anchor: str = "2026-01-31") -> str:
    return f"{reference},{name},{email},basic,{anchor}"
