"""Links from one page of the admin to another."""

from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString


def page_of(row: Model) -> str:
    """The path of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_of(model: type[Model], **filters: Any) -> str:
    """The path of the list of a model's rows, filtered."""
    path = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{path}?{urlencode(filters)}"


def link_to(row: Model | None, *, label: str = "") -> SafeString | None:
    """A link to a row's page; nothing for no row."""
    return None if row is None else format_html('<a href="{}">{}</a>', page_of(row), label or row)
