"""What requests about accounts may hold: to open one, with a discount, and to change one."""

from accounts.account_opening import MAX_QUANTITY
from accounts.contact import MAX_LENGTHS
from accounts.models import MAX_DISCOUNT_PERIODS, MAX_NET_DAYS, Account
from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body
from api.fields import Choice, ClearableText, Day, Email, Identifier, Metadata, Movement, Percent, Text, WholeNumber
from subscriptions.sign_up import Billing


def _contact(name: str, help_text: str) -> ClearableText:
    return ClearableText(max_length=MAX_LENGTHS[name], help_text=help_text)


class AccountBody(Body):
    """What may be given when an account is opened, and changed later."""

    address_line1 = _contact("address_line1", "The first line of the address. Null clears it, and so with the others.")
    address_line2 = _contact("address_line2", "The second line of the address.")
    postal_code = _contact("postal_code", "The postal code.")
    city = _contact("city", "The city.")
    region = _contact("region", "The state, province or region.")
    country = _contact("country", "The country's code of two letters (ISO 3166-1).")
    tax_id = _contact("tax_id", "The customer's tax id.")
    language = _contact("language", "The customer's language, as a tag: en, de-AT.")
    collection_method = Choice(
        Account.CollectionMethod.choices,
        required=False,
        help_text="`automatic`: the gateway collects each invoice at once. `send_invoice`: the customer is sent it, "
        "and pays within `net_days`.",
    )
    net_days = WholeNumber(
        required=False, minimum=0, maximum=MAX_NET_DAYS, help_text="Days to pay in, where invoices are sent."
    )
    tax_rate = Identifier(
        required=False,
        allow_null=True,
        help_text="The id of the tax rate of what is found due from now on. Null: the default of the settings.",
    )
    payment_customer = ClearableText(max_length=MAX_LENGTHS["payment_customer"])
    payment_method = ClearableText(max_length=MAX_LENGTHS["payment_method"])


class GiveDiscountSerializer(Body):
    """A discount to give: a percentage or an amount; for so many periods, until a day, or for good."""

    percent = Percent(
        required=False, help_text="Of the price: above 0 and at most 100, with at most three decimal places."
    )
    amount_minor = Movement(
        required=False, help_text="Off each period, in minor units of the account's currency; at most its price."
    )
    periods = WholeNumber(
        required=False,
        minimum=1,
        maximum=MAX_DISCOUNT_PERIODS,
        help_text="For so many periods that cost something and start today or later.",
    )
    until = Day(required=False, help_text="For the periods that start before this day.")
    reason = Text(max_length=MAX_REASON_LENGTH)


class OpenAccountSerializer(AccountBody):
    """An account to open."""

    name = Text(max_length=MAX_LENGTHS["name"])
    email = Email(max_length=MAX_LENGTHS["email"])
    plan = Text(max_length=64, help_text="The code of a plan that is not retired.")
    quantity = WholeNumber(
        required=False, minimum=1, maximum=MAX_QUANTITY, help_text="Units to charge for. Default: 1."
    )
    unit_amount_minor = Movement(
        required=False,
        allow_null=True,
        minimum=0,
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
    discount = GiveDiscountSerializer(
        required=False, allow_null=True, help_text="A discount that its first invoice has."
    )
    billing = Choice(
        Billing.choices,
        required=False,
        help_text="`now`, the default: a first period that begins today is invoiced and collected at once. "
        "`next_sweep`: it is left to the next sweep.",
    )
    on_decline = Choice(
        Account.OnDecline.choices,
        required=False,
        help_text="What a decline of its payment leads to. `dun`, the default: it is collected again. `close`: the "
        "first invoice must be paid; declined, it is credited whole and the account is closed. Only where something is "
        "collected at its start: not on a trial, for nothing, or with `send_invoice`. It needs an Idempotency-Key.",
    )
    external_reference = Text(
        required=False,
        allow_null=True,
        max_length=MAX_LENGTHS["external_reference"],
        help_text="Your own id of the account. Unique.",
    )
    metadata = Metadata(required=False, help_text="An object of at most 50 keys and 16 KB.")


class ChangeAccountSerializer(AccountBody):
    """The fields to change. Others don't change."""

    name = Text(required=False, max_length=MAX_LENGTHS["name"])
    email = Email(required=False, max_length=MAX_LENGTHS["email"])
    metadata = Metadata(required=False, help_text="Replaces the whole object.")
    reason = Text(required=False, max_length=MAX_REASON_LENGTH, help_text="Why, for the account's history.")
