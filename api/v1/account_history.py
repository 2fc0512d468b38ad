"""An account's history: who changed what, when and why."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import AccountChange
from api.models import Scope
from api.schema import call
from api.v1.account_answers import AccountListEndpoint
from api.v1.accounts import TAG


@extend_schema_field({"type": "object", "additionalProperties": {}})
class FieldValues(serializers.Field[Any, Any, Any, Any]):
    """Fields of the account by name, with their values."""

    def to_representation(self, value: Any) -> Any:
        return value


class AccountChangeSerializer(serializers.ModelSerializer[AccountChange]):
    """One change of an account, by anybody. The first is its opening."""

    before = FieldValues(read_only=True, help_text="What the fields that changed were before.")
    after = FieldValues(read_only=True, help_text="What they were afterwards.")

    class Meta:
        model = AccountChange
        fields = ("id", "account", "changed_at", "author", "reason", "before", "after")
        read_only_fields = fields


class AccountHistoryEndpoint(AccountListEndpoint):
    scopes: ClassVar = {"GET": Scope.ACCOUNTS_READ}
    queryset = AccountChange.objects.all()
    serializer_class = AccountChangeSerializer

    @call(
        "list_account_history",
        tag=TAG,
        summary="List an account's changes",
        description="Newest first.",
        scope=Scope.ACCOUNTS_READ,
        response=AccountChangeSerializer,
        missing=True,
    )
    def get(self, request: Request, **kwargs: Any) -> Response:
        return self.list(request)
