"""The health check: the function runs, and the database answers and accepts writes."""

from typing import Any, ClassVar

from django.db import connection
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.outages import read_only
from api.schema import call


class HealthSerializer(serializers.Serializer[Any]):
    """The service is healthy."""

    status = serializers.CharField(help_text="Always `ok`.")


class HealthEndpoint(Endpoint):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()  # whoever watches it isn't refused
    scopes: ClassVar = {}

    @call("get_health", tag="Health", summary="Get the health", scope=None, response=HealthSerializer)
    def get(self, request: Request) -> Response | HttpResponse:
        # A replica that isn't promoted yet is read-only too. Errors are answered by api/outages.py.
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only') = 'on'")
            (takes_no_changes,) = cursor.fetchone()
        return read_only(request=request) if takes_no_changes else Response({"status": "ok"})
