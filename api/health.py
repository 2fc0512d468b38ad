"""Whether this function serves: it runs, and the database answers and takes changes."""

from typing import Any, ClassVar

from django.db import connection
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.schema import call
from api.unavailable import read_only


class HealthSerializer(serializers.Serializer[Any]):
    """It serves."""

    status = serializers.CharField(help_text="Always `ok`.")


class HealthEndpoint(Endpoint):
    authentication_classes = ()
    permission_classes = ()
    scopes: ClassVar = {}

    @call("get_health", tag="Health", summary="Get the health", scope=None, response=HealthSerializer)
    def get(self, request: Request) -> Response | HttpResponse:
        # A replica that isn't promoted yet says so here too. What goes wrong is told as everywhere: api/unavailable.py.
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('transaction_read_only') = 'on'")
            (takes_no_changes,) = cursor.fetchone()
        return read_only(request=request) if takes_no_changes else Response({"status": "ok"})
