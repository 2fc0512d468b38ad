"""Every endpoint: it checks the scope, refuses unknown fields and parameters, calls one operation, and answers."""

import datetime
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, cast

from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import clock
from accounts.billing_day import billing_day
from api.idempotency import Answer, answer_once
from api.models import ApiKey, Scope
from api.pagination import IdCursorPagination
from api.throttles import Allowance


class Body(serializers.Serializer[Any]):
    """A request's body. A field that it doesn't name is refused, so that a misspelled one isn't lost."""

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            errors = dict(error.detail) if isinstance(error.detail, dict) else {"body": error.detail}
        if isinstance(data, Mapping):
            errors |= {name: ["This call has no such field."] for name in data if name not in self.fields}
        if errors:
            raise ValidationError(errors)
        return value


class EmptyBody(Body):
    """An empty object, or no body at all."""


class Endpoint(APIView):
    """One path of the API. The interface reads the clock, once a request: `now` and `today`."""

    http_method_names = ["get", "head", "post", "patch"]
    scopes: ClassVar[Mapping[str, Scope]] = {}
    query_parameters: ClassVar[Collection[str]] = ()
    """Those of the GET."""
    post_parameters: ClassVar[Collection[str]] = ()

    now: datetime.datetime
    today: datetime.date

    allowance: Allowance | None = None

    def check_permissions(self, request: Request) -> None:
        # Before scopes are looked at: what is refused for them counts, too.
        super().check_throttles(request)
        super().check_permissions(request)

    def check_throttles(self, request: Request) -> None:
        """Done by `check_permissions`."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.now = clock.now()
        self.today = billing_day(self.now)
        self._check_query(request)

    def _check_query(self, request: Request) -> None:
        known: Collection[str] = ()
        if request.method in ("GET", "HEAD"):
            known = self.known_parameters()
        elif request.method == "POST":
            known = self.post_parameters
        errors = {}
        for name, values in request.query_params.lists():
            if name not in known:
                errors[name] = ["This call has no such parameter."]
            elif len(values) > 1:
                errors[name] = ["Given more than once."]
            elif not values[0]:
                errors[name] = ["Given without a value."]  # and not the whole list, as if it hadn't been given
        if errors:
            raise ValidationError(errors)

    def known_parameters(self) -> Collection[str]:
        """The query parameters of the GET."""
        return self.query_parameters

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        response = super().finalize_response(request, response, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        if self.allowance:
            for name, value in self.allowance.headers.items():
                response[name] = value
        return response

    @property
    def api_key(self) -> ApiKey:
        """The key that calls. `HasScope` let it pass, so there is one."""
        return cast(ApiKey, self.request.auth)

    @property
    def author(self) -> str:
        """The author of what this request does."""
        return self.api_key.author

    def body(self, serializer: type[Body]) -> dict[str, Any]:
        """The request's body, read by the serializer. Raises `ValidationError`."""
        reader = serializer(data=dict(self.request.data))
        reader.is_valid(raise_exception=True)
        return dict(reader.validated_data)

    def once(self, work: Callable[[], Answer], *, needs_key: str = "") -> HttpResponse:
        """Do the work of an unsafe call and answer, in one transaction; once for an Idempotency-Key.

        `needs_key` is why it must have such a key, where it must.
        """
        return answer_once(
            request=self.request, client_id=self.api_key.client_id, work=work, needs_key=needs_key, now=self.now
        )


class ListEndpoint(Endpoint, ListModelMixin, GenericAPIView[Any]):
    """A list, paged and filtered, in a constant number of statements."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset())) or []
        return self.get_paginated_response(self.rendered(page))

    def rendered(self, page: Any) -> Any:
        """The rows of a page as JSON."""
        return self.get_serializer(page, many=True).data

    def known_parameters(self) -> Collection[str]:
        filters = getattr(self, "filterset_class", None)
        return IdCursorPagination.parameters | set(filters.base_filters if filters else ())
