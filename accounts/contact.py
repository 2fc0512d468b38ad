"""Contact data: what an invoice says of the customer besides the name, frozen on it when it is issued."""

import re
from typing import Any

from accounts.countries import countries
from accounts.models import Account

CONTACT_FIELDS = (
    "address_line1",
    "address_line2",
    "postal_code",
    "city",
    "region",
    "country",
    "tax_id",
    "language",
)
MAX_LENGTHS: dict[str, Any] = {field.name: field.max_length for field in Account._meta.fields}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
"""Language, script and region of a tag (RFC 5646), in its usual letters."""


def contact_errors(account: Account) -> dict[str, str]:
    """What is wrong with an account's country and language, by field. Both may be empty."""
    errors = {}
    if account.country and account.country not in countries():
        errors["country"] = "Must be a country's code of two letters (ISO 3166-1), like DE."
    if account.language and not LANGUAGE.fullmatch(account.language):
        errors["language"] = "Must be a language tag, like en, de-AT or zh-Hant."
    return errors
