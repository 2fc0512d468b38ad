"""How the values of columns with choices are shown: as they are stored, as on every table, in the API and the docs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field, Model

from payments.models import Payment

CAUSES: dict[str, str] = {
    Payment.Cause.INVOICE: "the invoice was issued",
    Payment.Cause.DUNNING: "a step of dunning",
    Payment.Cause.REQUEST: "at somebody's request",
    Payment.Cause.PAYMENT_METHOD: "another payment method",
    Payment.Cause.OFFLINE: "received offline",
}
"""Why a payment was attempted, in words."""

Words = Mapping[str, str]


def has_choices(model: type[Model], name: Any) -> bool:
    """Whether `name` is a column of the model with choices."""
    try:
        return isinstance(name, str) and bool(getattr(model._meta.get_field(name), "choices", None))
    except FieldDoesNotExist:
        return False


def stored(model: type[Model], name: str, words: Words) -> Callable[[Any], str]:
    """A column that shows the value of a field as it is stored, or the words for it. Django's own shows a label."""

    @admin.display(description=model._meta.get_field(name).verbose_name, ordering=name)  # type: ignore[union-attr]
    def shown(row: Any) -> str:
        value = getattr(row, name)
        return words.get(value, value)

    shown.__name__ = name
    return shown


def stored_filter(words: Words) -> type[ChoicesFieldListFilter]:
    """A filter of a field with choices, which offers its values under the words that the column shows."""

    class Stored(ChoicesFieldListFilter):
        def choices(self, changelist: ChangeList) -> Iterator[Any]:
            field: Field[Any, Any] = self.field
            values = {str(label): value for value, label in field.flatchoices}
            for choice in super().choices(changelist):
                value = values.get(str(choice["display"]))
                yield choice if value is None else choice | {"display": words.get(value, value)}

    return Stored
