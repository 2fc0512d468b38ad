"""One-off items of an account: adding, listing and removing them."""

import uuid
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.account_opening import MAX_QUANTITY
from accounts.amounts import MAX_BALANCE_MINOR
from accounts.reasons import MAX_REASON_LENGTH
from api.endpoints import Body, Endpoint
from api.fields import Choice, Movement, Text, WholeNumber, YesOrNo
from api.idempotency import MOVES_MONEY, Answer
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountListEndpoint
from api.v1.accounts import TAG
from api.v1.item_answers import AddedItemSerializer, ItemSerializer, added_item_as_json
from api.v1.lifecycle import ReasonSerializer
from invoices.models import Item
from subscriptions.item_removals import remove_item
from subscriptions.items import MAX_DESCRIPTION_LENGTH, ItemBilling, NewItem, add_item, item_of


class AddItemSerializer(Body):
    """An item to add."""

    description = Text(max_length=MAX_DESCRIPTION_LENGTH, help_text="What the invoice's line says.")
    quantity = WholeNumber(required=False, minimum=1, maximum=MAX_QUANTITY, help_text="Default: 1.")
    unit_amount_minor = Movement(
        minimum=-MAX_BALANCE_MINOR,
        help_text="In minor units of the account's currency, without a tax that is added to it. Below zero it is a "
        "deduction.",
    )
    billing = Choice(
        ItemBilling.choices,
        required=False,
        help_text="`next_invoice` (the default): with the next billing period that is found due. `now`: on an invoice "
        "of its own, which is collected at once; not for a deduction.",
    )
    dry_run = YesOrNo(required=False, help_text="Answer what the item comes to, and add and bill nothing.")
    reason = Text(max_length=MAX_REASON_LENGTH)


class ItemsEndpoint(AccountListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ, "POST": Scope.ACCOUNTS_WRITE}
    queryset = Item.objects.select_related("account").prefetch_related("lines")
    serializer_class = ItemSerializer

    @call(
        "list_account_items",
        tag=TAG,
        summary="List an account's items",
        description="Pending, invoiced and removed ones, newest first.",
        scope=Scope.ACCOUNTS_READ,
        response=ItemSerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)

    @call(
        "add_item",
        tag=TAG,
        summary="Add a one-off item",
        description="A fee, a service, or a deduction. It waits for the next billing period that is found due, and is "
        "a further line of its invoice; or it is billed now. A deduction takes the invoice down to zero, and what it "
        "has left waits for the next one. An inactive account has no next invoice: its items are billed now. A dry run "
        "needs no Idempotency-Key.",
        scope=Scope.ACCOUNTS_WRITE,
        request=AddItemSerializer,
        response=AddedItemSerializer,
        status=201,
        dry_run=True,
        missing=True,
        idempotency_key="required",
        examples=[
            OpenApiExample(
                "A fee with the next invoice",
                {"description": "Setup", "unit_amount_minor": 5000, "reason": "Agreed by phone."},
                request_only=True,
            ),
            OpenApiExample(
                "Two hours of help, billed now",
                {
                    "description": "Help",
                    "quantity": 2,
                    "unit_amount_minor": 9000,
                    "billing": "now",
                    "reason": "Ticket 7",
                },
                request_only=True,
            ),
            OpenApiExample(
                "A deduction",
                {"description": "For the outage", "unit_amount_minor": -500, "reason": "A day of outage."},
                request_only=True,
            ),
        ],
    )
    def post(self, request: Request, account_id: uuid.UUID) -> HttpResponse:
        values = self.body(AddItemSerializer)
        billing = values.pop("billing", ItemBilling.NEXT_INVOICE)
        dry_run: bool = values.pop("dry_run", False)
        reason = values.pop("reason")

        def work() -> Answer:
            added = add_item(
                account_id=account_id,
                new=NewItem(**values),
                billing=billing,
                dry_run=dry_run,
                reason=reason,
                author=self.author,
                today=self.today,
                now=self.now,
            )
            shown = added_item_as_json(added, dry_run=dry_run)
            if dry_run:
                return Answer(200, shown)
            return Answer(201, shown, location=f"/v1/accounts/{account_id}/items/{added.item.id}")

        return self.once(work, needs_key="" if dry_run else MOVES_MONEY)


class ItemEndpoint(Endpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ}

    @call(
        "get_item",
        tag=TAG,
        summary="Get an item",
        scope=Scope.ACCOUNTS_READ,
        response=ItemSerializer,
        missing=True,
    )
    def get(self, request: Request, account_id: uuid.UUID, item_id: uuid.UUID) -> Response:
        return Response(ItemSerializer(item_of(account_id, item_id)).data)


class RemoveItemEndpoint(Endpoint):
    scopes: ClassVar = {"POST": Scope.ACCOUNTS_WRITE}

    @call(
        "remove_item",
        tag=TAG,
        summary="Remove an item",
        description="Possible until it is invoiced; of a deduction that was invoiced in part, the rest. A deduction "
        "that a due period is to be charged less by can't be removed until that is charged.",
        scope=Scope.ACCOUNTS_WRITE,
        request=ReasonSerializer,
        response=ItemSerializer,
        missing=True,
        idempotency_key="optional",
        examples=[OpenApiExample("Added by mistake", {"reason": "Was for another customer."}, request_only=True)],
    )
    def post(self, request: Request, account_id: uuid.UUID, item_id: uuid.UUID) -> HttpResponse:
        reason = self.body(ReasonSerializer)["reason"]

        def work() -> Answer:
            item = remove_item(
                account_id=account_id,
                item_id=item_id,
                reason=reason,
                author=self.author,
                today=self.today,
                now=self.now,
            )
            return Answer(200, ItemSerializer(item).data)

        return self.once(work)
