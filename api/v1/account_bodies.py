"""What requests about accounts may hold: to open one, and to change one."""

from typing import Any

from accounts.account_opening import MAX_QUANTITY
from accounts.models import MAX_NET_DAYS, Account
from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body
from api.fields import Choice, ClearableText, Day, Email, Metadata, Movement, Text, WholeNumber


def _collection_method() -> Any:
    return Choice(
        Account.CollectionMethod.choices,
        required=False,
        help_text="`automatic`: the gateway collects each invoice at once. `send_invoice`: the customer is sent it, "
        "and pays within `net_days`.",
    )


def _net_days() -> WholeNumber:
    return WholeNumber(required=False, least=0, most=MAX_NET_DAYS, help_text="Days to pay in, where invoices are sent.")


def _contact(max_length: int, help_text: str) -> ClearableText:
    return ClearableText(max_length=max_length, help_text=help_text)


class ContactBody(Body):
    """What invoices say of the customer besides the name; as it is when they are issued."""

    address_line1 = _contact(200, "The first line of the address. Null clears it, and so with the others.")
    address_line2 = _contact(200, "The second line of the address.")
    postal_code = _contact(20, "The postal code.")
    city = _contact(100, "The city.")
    region = _contact(100, "The state, province or region.")
    country = _contact(2, "The country's code of two letters (ISO 3166-1).")
    tax_id = _contact(50, "The customer's tax id.")
    language = _contact(15, "The customer's language, as a tag: en, de-AT.")


class OpenAccountSerializer(ContactBody):
    """An account to open."""

    name = Text(max_length=200)
    email = Email(max_length=254)
    plan = Text(max_length=64, help_text="The code of a plan that is not retired.")
    quantity = WholeNumber(required=False, least=1, most=MAX_QUANTITY, help_text="Units to charge for. Default: 1.")
    unit_amount_minor = Movement(
        required=False,
        allow_null=True,
        least=0,
        help_text="A negotiated price in minor units. Default: the plan's. Quantity times price has the same maximum.",
    )
    anchor_date = Day(
        required=False,
        allow_null=True,
        help_text="The day from which periods are counted. Default: today, after any trial.",
    )
    rebilling_date = Day(
        required=False,
        allow_null=True,
        help_text="The first day of the first period to charge. Default: the first period start on or after today. "
        "If it is in the past, the periods since then are charged.",
    )
    external_reference = Text(
        required=False, allow_null=True, max_length=200, help_text="Your own id of the account. Unique."
    )
    collection_method = _collection_method()
    net_days = _net_days()
    payment_customer = ClearableText(max_length=200)
    payment_method = ClearableText(max_length=200)
    metadata = Metadata(required=False, help_text="An object of at most 50 keys and 16 KB.")


class ChangeAccountSerializer(ContactBody):
    """The fields to change. Others don't change."""

    name = Text(required=False, max_length=200)
    email = Email(required=False, max_length=254)
    quantity = WholeNumber(required=False, least=1, most=MAX_QUANTITY, help_text="From the next period on.")
    collection_method = _collection_method()
    net_days = _net_days()
    payment_customer = ClearableText(max_length=200)
    payment_method = ClearableText(max_length=200)
    metadata = Metadata(required=False, help_text="Replaces the whole object.")
    reason = Text(required=False, max_length=MAX_REASON_LENGTH, help_text="Why, for the account's history.")
