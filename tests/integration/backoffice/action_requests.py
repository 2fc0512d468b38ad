"""Requests for the staff's actions, and what they show and change."""

import re

from django.contrib.admin.models import LogEntry
from django.db import models
from django.test import Client

from tests.support.unchanged import everything


def path_of(row: models.Model, action: str) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{action}/"


def state() -> list[object]:
    """Everything that an action could move."""
    return [everything(), list(LogEntry.objects.order_by("pk").values())]


def messages_of(client: Client, path: str, data: dict[str, str]) -> list[str]:
    """The messages that the page shows; those of earlier actions were shown by the index."""
    client.get("/admin/")
    response = client.post(path, data, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def logged() -> list[tuple[str, str | None, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "object_id", "change_message"))


def submission_of(client: Client, row: models.Model, action: str) -> str:
    """The id that a form of this action carries."""
    found = re.search(r'name="submission" value="([^"]+)"', client.get(path_of(row, action)).content.decode())
    assert found
    return found[1]
