"""Requests for the staff's actions, and what they show and change."""

import re
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db import models
from django.test import Client
from django.utils.html import escape

from tests.support.unchanged import everything


def path_of(row: models.Model, action: str) -> str:
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{action}/"


def state() -> list[object]:
    """Everything that an action could move."""
    return [everything(), list(LogEntry.objects.order_by("pk").values())]


def previewed(client: Client, path: str, data: dict[str, str]) -> tuple[list[str], str]:
    """The sentences of the form's preview, and what the form carries along because they were seen."""
    response = client.post(path, data)
    sentences, seen = response.context["preview"], response.context["seen"]
    content = response.content.decode()
    assert sentences
    assert all(f"<li>{escape(sentence)}</li>" in content for sentence in sentences)
    assert f'<input type="hidden" name="seen" value="{seen}">' in content
    assert f'<input type="submit" class="default" value="{response.context["title"]}">' in content
    return sentences, seen


def performed(client: Client, path: str, data: dict[str, str], *, follow: bool = False) -> Any:
    """The answer to the form; where it previews first, to the button that then says so."""
    response = client.post(path, data, follow=follow)
    if response.status_code == 200 and response.context.get("preview"):
        response = client.post(path, data | {"seen": response.context["seen"]}, follow=follow)
    return response


def messages_of(client: Client, path: str, data: dict[str, str]) -> list[str]:
    """The messages that the page shows; those of earlier actions were shown by the index."""
    client.get("/admin/")
    response = performed(client, path, data, follow=True)
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def logged() -> list[tuple[str, str | None, str]]:
    return list(LogEntry.objects.order_by("pk").values_list("user__username", "object_id", "change_message"))


def submission_of(client: Client, row: models.Model, action: str) -> str:
    """The id that a form of this action carries."""
    found = re.search(r'name="submission" value="([^"]+)"', client.get(path_of(row, action)).content.decode())
    assert found
    return found[1]
