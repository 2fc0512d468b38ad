"""What a refusal leaves behind: every row as it was."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from accounts.errors import Conflict, Invalid
from api.models import RequestCount

APPS = ("accounts", "ledger", "invoices", "payments", "rebilling", "api")


def everything(*, but: type[Model] | None = None) -> dict[str, list[Any]]:
    """All rows of the product's tables; `but` is left out, such as the answers that are kept. So are counts of
    requests, in which each request counts, refused or not.
    """
    left_out = {but, RequestCount}
    models = [model for app in APPS for model in apps.get_app_config(app).get_models() if model not in left_out]
    return {str(model._meta): list(model._default_manager.order_by("pk").values()) for model in models}


@contextmanager
def nothing_moves(*, but: type[Model] | None = None) -> Iterator[None]:
    """No row of any table is added, changed or lost within."""
    before = everything(but=but)
    yield
    assert everything(but=but) == before


def unless_refused(change: Callable[[], object]) -> bool:
    """Whether it was done; what is refused moves nothing."""
    before = everything()
    try:
        with transaction.atomic():
            change()
    except (Conflict, Invalid):
        assert everything() == before
        return False
    return True
