"""The pages of staff and groups, for superusers."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest

from backoffice.base import SuperusersOnly
from backoffice.models import User

admin.site.unregister(Group)


@admin.register(Group)
class StaffGroupAdmin(SuperusersOnly, GroupAdmin):
    """Groups and their permissions."""


@admin.register(User)
class StaffAdmin(SuperusersOnly, UserAdmin):  # type: ignore[type-arg]  # generic in the stubs alone
    """Staff. Someone who leaves is made inactive and keeps the username that signs what they did."""

    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_superuser", "last_login")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), *(["username"] if obj else []))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False
