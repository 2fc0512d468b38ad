"""What a key may do: each endpoint declares the scope of each of its methods."""

from typing import TYPE_CHECKING

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from api.models import ApiKey

if TYPE_CHECKING:  # the views' own module loads this one
    from rest_framework.views import APIView


class HasScope(BasePermission):
    """The key holds the scope that `view.scopes` declares for the method.

    A method that is served but declares none is refused to everyone. One that isn't served at all goes on, to its 405.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        method = "GET" if request.method == "HEAD" else str(request.method)
        if method not in view.allowed_methods:
            return True
        scope = getattr(view, "scopes", {}).get(method)
        if scope is None:
            return False
        key = request.auth
        if not isinstance(key, ApiKey) or scope not in key.scopes:
            raise PermissionDenied(f"This key lacks the scope {scope}.")
        return True
