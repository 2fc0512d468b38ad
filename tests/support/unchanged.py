"""What a refusal leaves behind: every row as it was."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db.models import Model

APPS = ("accounts", "ledger", "invoices", "payments", "rebilling", "api")


def everything(*, but: type[Model] | None = None) -> dict[str, list[Any]]:
    """All rows of the product's tables; `but` is left out, such as the answers that are kept."""
    models = [model for app in APPS for model in apps.get_app_config(app).get_models() if model is not but]
    return {str(model._meta): list(model._default_manager.order_by("pk").values()) for model in models}


@contextmanager
def nothing_moves(*, but: type[Model] | None = None) -> Iterator[None]:
    """No row of any table is added, changed or lost within."""
    before = everything(but=but)
    yield
    assert everything(but=but) == before
