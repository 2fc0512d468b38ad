"""What the fields of an account may hold, opened or changed."""

from django.core.exceptions import ValidationError

from accounts.contact import CONTACT_FIELDS, contact_errors
from accounts.metadata import metadata_error
from accounts.models import MAX_NET_DAYS, Account
from accounts.phrases import one_of
from accounts.tax_rates import unknown_rate_error
from accounts.text import text_error

TEXTS = ("name", "email", "external_reference", "payment_customer", "payment_method", *CONTACT_FIELDS)
"""The fields of an account that people and clients write."""


def field_errors(account: Account) -> dict[str, str]:
    """What the account's own fields can't hold: lengths, blanks, the form of an e-mail address, texts, metadata."""
    errors = {}
    try:
        account.clean_fields(
            exclude={"metadata", "collection_method", "net_days", "on_decline", "tax_rate", "discount"}
        )
    except ValidationError as error:
        errors = {name: " ".join(messages) for name, messages in error.message_dict.items()}
    errors |= {name: fault for name in TEXTS if (fault := text_error(getattr(account, name) or ""))}
    if account.collection_method not in Account.CollectionMethod:
        errors["collection_method"] = one_of(Account.CollectionMethod.values)
    if not 0 <= account.net_days <= MAX_NET_DAYS:
        errors["net_days"] = f"Must be from 0 to {MAX_NET_DAYS}."
    errors |= contact_errors(account)
    if unknown := unknown_rate_error(account.tax_rate_id):
        errors["tax_rate"] = unknown
    if unkeepable := metadata_error(account.metadata):
        errors["metadata"] = unkeepable
    return errors
