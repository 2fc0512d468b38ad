"""How accounts read in answers."""

import datetime
from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.account_opening import MAX_QUANTITY
from accounts.contact import CONTACT_FIELDS
from accounts.locked_accounts import get_account
from accounts.models import MAX_DISCOUNT_PERIODS, MAX_NET_DAYS, Account, Discount
from accounts.pending_changes import pending_changes
from accounts.terms import TermsHistory, TermsInForce, terms_of
from api.endpoints import ListEndpoint
from api.fields import Amount, Metadata, Percent, SignedAmount, TextOrNull, WholeNumber
from ledger.balances import balances
from rebilling.period_discounts import periods_having


@extend_schema_field({"type": "string", "enum": Account.InactiveReason.values}, component_name="InactiveReason")
class InactiveReasonField(TextOrNull):
    """Why an account isn't billed, or null."""


class PendingChangeSerializer(serializers.Serializer[Any]):
    """What is to become of an account on a day. It can be taken back until then."""

    on = serializers.DateField(help_text="The day.")
    reason = serializers.CharField(help_text="Why.")
    author = serializers.CharField(help_text="Who asked for it.")


@extend_schema_field(PendingChangeSerializer(allow_null=True))
class PendingChangeField(serializers.Field[Any, Any, Any, Any]):
    """The pending change whose day is in this field of the account, or null."""

    def __init__(self, day: str, **kwargs: Any) -> None:
        super().__init__(read_only=True, allow_null=True, source="*", **kwargs)
        self.day = day

    def to_representation(self, account: Account) -> Any:
        pending = self.context["pending"][account.id].get(self.day)
        return pending and PendingChangeSerializer(pending).data


class DiscountSerializer(serializers.ModelSerializer[Discount]):
    """What is taken off the account's periods: a percentage of the price, or an amount. One of the two is null."""

    # How many periods have each comes in the context.
    percent = Percent(read_only=True, allow_null=True, help_text="Of the price.")
    amount_minor = Amount(minimum=1, allow_null=True, help_text="Off each period, at most its price.")
    periods = WholeNumber(
        read_only=True,
        allow_null=True,
        minimum=1,
        maximum=MAX_DISCOUNT_PERIODS,
        help_text="For so many periods, or null.",
    )
    periods_left = serializers.SerializerMethodField(help_text="How many of them are to come, or null.")
    starts_on = serializers.DateField(read_only=True, help_text="For periods that start on this day or later.")
    until = serializers.DateField(
        read_only=True, allow_null=True, help_text="For periods that start before this day, or null."
    )

    class Meta:
        model = Discount
        fields = ("id", "percent", "amount_minor", "periods", "periods_left", "starts_on", "until", "reason")
        read_only_fields = fields

    @extend_schema_field(WholeNumber(minimum=0, maximum=MAX_DISCOUNT_PERIODS, allow_null=True))
    def get_periods_left(self, discount: Discount) -> int | None:
        if discount.periods is None:
            return None
        return max(0, discount.periods - int(self.context["periods_having"][discount.id]))


class AgreedTermsSerializer(serializers.Serializer[Any]):
    """Terms, and the day from which they are in force."""

    id = serializers.UUIDField(allow_null=True, help_text="Null in the answer of a dry run.")
    effective_from = serializers.DateField()
    plan = serializers.CharField(source="plan_code")
    quantity = WholeNumber(read_only=True, minimum=1, maximum=MAX_QUANTITY)
    unit_amount_minor = Amount()
    anchor_date = serializers.DateField()


class AccountSerializer(serializers.ModelSerializer[Account]):
    """One customer with one subscription."""

    # Balances and terms come in the context, by account id, so that a list takes one statement for all of them.
    inactive_reason = InactiveReasonField(help_text="Why an INACTIVE account isn't billed.")
    plan = serializers.SerializerMethodField(help_text="The code of the plan in force today.")
    quantity = serializers.SerializerMethodField(help_text="The units in force today.")
    unit_amount_minor = serializers.SerializerMethodField(
        help_text="The price of one unit for each interval, in force today."
    )
    anchor_date = serializers.SerializerMethodField(help_text="The day from which periods are counted today.")
    pending_terms = serializers.SerializerMethodField(help_text="Terms that are agreed for a later day, or null.")
    balance_minor = serializers.SerializerMethodField(help_text="What it owes now. Below zero, it has credit.")
    credit_balance_minor = SignedAmount(
        help_text="The customer's own money with you, for the next invoice. Below zero, the next invoice brings it "
        "forward.",
    )
    collection_method = serializers.ChoiceField(
        Account.CollectionMethod.choices, read_only=True, help_text="Whether the gateway collects its invoices."
    )
    net_days = WholeNumber(
        read_only=True, minimum=0, maximum=MAX_NET_DAYS, help_text="Days to pay in, where invoices are sent."
    )
    address_line1 = TextOrNull(help_text="The first line of the address.")
    address_line2 = TextOrNull(help_text="The second line of the address.")
    postal_code = TextOrNull(help_text="The postal code.")
    city = TextOrNull(help_text="The city.")
    region = TextOrNull(help_text="The state, province or region.")
    country = TextOrNull(help_text="The country's code of two letters (ISO 3166-1).")
    tax_id = TextOrNull(help_text="The customer's tax id.")
    language = TextOrNull(help_text="The customer's language, as a tag.")
    tax_rate = serializers.UUIDField(
        source="tax_rate_id",
        read_only=True,
        allow_null=True,
        help_text="The id of its own tax rate, or null for the default of the settings.",
    )
    discount = serializers.SerializerMethodField(help_text="The discount that it has, in force or over; or null.")
    payment_customer = TextOrNull(help_text="The customer at the payment gateway.")
    payment_method = TextOrNull(help_text="The payment method at the payment gateway.")
    payment_method_unusable = serializers.BooleanField(
        read_only=True, help_text="Whether it was declined for good: no call is made with it until there is another."
    )
    on_decline = serializers.ChoiceField(
        Account.OnDecline.choices,
        read_only=True,
        help_text="What a decline of its payment leads to: `dun`, or `close` until its first invoice is paid.",
    )
    dunning_on = serializers.DateField(
        read_only=True, allow_null=True, help_text="The day of the next step of dunning; null when none is to come."
    )
    trial_ends_on = serializers.DateField(
        read_only=True, allow_null=True, help_text="The day on which its trial ends, or ended; null where it had none."
    )
    pending_cancellation = PendingChangeField("closes_on", help_text="When it is to be closed.")
    pending_pause = PendingChangeField("pauses_on", help_text="When a pause is to begin.")
    pending_resumption = PendingChangeField("resumes_on", help_text="When its pause is to end.")
    metadata = Metadata(read_only=True)

    class Meta:
        model = Account
        fields = (
            "id",
            "status",
            "inactive_reason",
            "name",
            "email",
            *CONTACT_FIELDS,
            "plan",
            "quantity",
            "unit_amount_minor",
            "currency",
            "anchor_date",
            "rebilling_date",
            "pending_terms",
            "balance_minor",
            "credit_balance_minor",
            "external_reference",
            "collection_method",
            "net_days",
            "tax_rate",
            "discount",
            "payment_customer",
            "payment_method",
            "payment_method_unusable",
            "on_decline",
            "dunning_on",
            "trial_ends_on",
            "pending_cancellation",
            "pending_pause",
            "pending_resumption",
            "metadata",
            "created_at",
        )
        read_only_fields = fields

    def get_plan(self, account: Account) -> str:
        return self._terms(account).plan_code

    @extend_schema_field(WholeNumber(minimum=1, maximum=MAX_QUANTITY))
    def get_quantity(self, account: Account) -> int:
        return self._terms(account).quantity

    @extend_schema_field(Amount())
    def get_unit_amount_minor(self, account: Account) -> int:
        return self._terms(account).unit_amount_minor

    @extend_schema_field(DiscountSerializer(allow_null=True))
    def get_discount(self, account: Account) -> dict[str, Any] | None:
        found = self.context["discounts"].get(account.discount_id)
        return dict(DiscountSerializer(found, context=self.context).data) if found else None

    @extend_schema_field(serializers.DateField())
    def get_anchor_date(self, account: Account) -> str:
        return self._terms(account).anchor_date.isoformat()

    @extend_schema_field(AgreedTermsSerializer(allow_null=True))
    def get_pending_terms(self, account: Account) -> Any:
        history: TermsHistory = self.context["terms"][account.id]
        pending = history.pending(self.context["today"])
        return AgreedTermsSerializer(pending).data if pending else None

    @extend_schema_field(SignedAmount())
    def get_balance_minor(self, account: Account) -> int:
        return int(self.context["balances"][account.id])

    def _terms(self, account: Account) -> TermsInForce:
        found: TermsInForce = self.context["terms"][account.id].in_force(self.context["today"])
        return found


def accounts_as_json(accounts: Sequence[Account], *, today: datetime.date) -> Any:
    """The accounts as JSON, with their balances and the terms in force today, in two statements; in another, what is
    pending of them, where anything is; with two more where some have discounts.
    """
    ids = [account.id for account in accounts]
    given = {account.discount_id for account in accounts if account.discount_id}
    context = {
        "balances": balances(account_ids=ids),
        "terms": terms_of(ids),
        "pending": pending_changes(accounts),
        "today": today,
        "discounts": Discount.objects.in_bulk(list(given)) if given else {},
        "periods_having": periods_having(given),
    }
    return AccountSerializer(accounts, many=True, context=context).data


def account_as_json(account: Account, *, today: datetime.date) -> dict[str, Any]:
    """One account as JSON."""
    shown: dict[str, Any] = accounts_as_json([account], today=today)[0]
    return shown


class AccountListEndpoint(ListEndpoint):
    """A list of what one account has."""

    def get_queryset(self) -> QuerySet[Any]:
        return super().get_queryset().filter(account=get_account(self.kwargs["account_id"]))
