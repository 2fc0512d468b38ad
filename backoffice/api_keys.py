"""API keys: who has one, what it may do, and whether it is valid. Their hashes are never shown."""

from django.apps import apps
from django.contrib import admin

from backoffice.base import ReadOnlyAdmin


# By name: the staff's interface and the API's don't import each other.
@admin.register(apps.get_model("api", "ApiKey"))
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "scopes", "created_at", "expires_at", "revoked_at")
    search_fields = ("name", "=prefix")
    fields = ("id", "client_id", "name", "prefix", "scopes", "created_at", "expires_at", "revoked_at")
