"""Whether this function serves: it runs, and the database answers."""

from typing import Any, ClassVar

from django.db import Error, connection
from django.http import HttpResponse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.endpoints import Endpoint
from api.problems import problem
from api.schema import call


class HealthSerializer(serializers.Serializer[Any]):
    """It serves."""

    status = serializers.CharField(help_text="Always `ok`.")


class HealthEndpoint(Endpoint):
    authentication_classes = ()
    permission_classes = ()
    scopes: ClassVar = {}

    @call("get_health", tag="Health", summary="Get the health", scope=None, response=HealthSerializer, also=[503])
    def get(self, request: Request) -> Response | HttpResponse:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except Error:
            return problem(status=503, slug="database-unreachable", detail="The database can't be reached.")
        return Response({"status": "ok"})
