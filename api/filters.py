"""Filters of lists, which parse as strictly as the bodies do."""

import datetime
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema_field

from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.billing_day import start_of_day
from accounts.phrases import one_of
from api.fields import day_from, id_from
from api.schema import DAY, DAYS
from rebilling.run_invoices import invoices_of_run

CharFilter = filters.CharFilter
ModelChoiceFilter = filters.ModelChoiceFilter

SINCE, UNTIL = "_since", "_until"


class _Ranges(forms.Form):
    """Refuses a range of days that ends before it begins."""

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        for name, since in list(values.items()):
            other = name.removesuffix(SINCE) + UNTIL
            until = values.get(other)
            if name.endswith(SINCE) and since and until and until < since:
                self.add_error(other, f"Must be {since} or later, the day that {name} names.")
        return values


class FilterSet(filters.FilterSet):  # type: ignore[misc]
    """The filters of a list, each a query parameter. A value that makes no sense is refused.

    Filters named `..._since` and `..._until` are the two ends of a range, both included.
    """

    class Meta:
        form = _Ranges


class ChoiceFilter(filters.ChoiceFilter):  # type: ignore[misc]
    """Rows with one of a few words. A wrong one is answered with all of them."""

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        wrong = one_of([value for value, _ in choices])
        super().__init__(*args, choices=choices, error_messages={"invalid_choice": wrong}, **kwargs)


class YesOrNoField(forms.Field):
    """`true` or `false` in a query."""

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if value not in ("true", "false"):
            raise forms.ValidationError(one_of(["true", "false"]))
        return bool(value == "true")


class YesOrNoFilter(filters.Filter):  # type: ignore[misc]
    """Rows of which something is so, or isn't."""

    field_class = YesOrNoField

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, label=label, **kwargs)
        extend_schema_field({"type": "boolean", "description": label})(self)


class DayField(forms.Field):
    """A date in a query, `YYYY-MM-DD`, within the range of billing dates."""

    def to_python(self, value: Any) -> datetime.date | None:
        if value in self.empty_values:
            return None
        day = day_from(value)
        if day is None:
            raise forms.ValidationError("Must be a date, YYYY-MM-DD.")
        try:
            return in_range(day)
        except DayOutOfRange as error:
            raise forms.ValidationError(f"{error}.") from None


class DayFilter(filters.DateFilter):  # type: ignore[misc]
    """Rows whose date compares with the given one."""

    field_class = DayField

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, label=label, **kwargs)
        extend_schema_field(DAY | {"description": f"{label} {DAYS}"})(self)


class SinceFilter(DayFilter):
    """Rows whose instant lies on the given day, by the billing time zone, or later."""

    def filter(self, rows: QuerySet[Any], day: datetime.date | None) -> QuerySet[Any]:
        return rows if day is None else rows.filter(**{f"{self.field_name}__gte": start_of_day(day)})


class UntilFilter(DayFilter):
    """Rows whose instant lies on the given day, by the billing time zone, or earlier."""

    def filter(self, rows: QuerySet[Any], day: datetime.date | None) -> QuerySet[Any]:
        if day is None:
            return rows
        return rows.filter(**{f"{self.field_name}__lt": start_of_day(day + datetime.timedelta(days=1))})


class FlagFilter(YesOrNoFilter):
    """Rows for which the condition holds, or, with `false`, the others."""

    def __init__(self, condition: Callable[[], Q], *, label: str) -> None:
        super().__init__(label=label)
        self.condition = condition

    def filter(self, rows: QuerySet[Any], value: bool | None) -> QuerySet[Any]:
        if value is None:
            return rows
        return rows.filter(self.condition() if value else ~self.condition())


class IdField(forms.Field):
    """An id in a query, as the API writes them."""

    def to_python(self, value: Any) -> uuid.UUID | None:
        if value in self.empty_values:
            return None
        found = id_from(value)
        if found is None:
            raise forms.ValidationError("Must be an id, such as 019a9c3e-8f00-7000-8000-000000000001.")
        return found


class IdFilter(filters.Filter):  # type: ignore[misc]
    """Rows of the thing that has this id."""

    field_class = IdField

    def __init__(self, *args: Any, label: str, **kwargs: Any) -> None:
        super().__init__(*args, label=label, **kwargs)
        extend_schema_field({"type": "string", "format": "uuid", "description": label})(self)


class InvoiceOfRunFilter(IdFilter):
    """Rows of the invoices that a run issued. `field_name` leads to the invoice's id."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, label="The id of the run that the invoice was issued in.", **kwargs)

    def filter(self, rows: QuerySet[Any], run_id: uuid.UUID | None) -> QuerySet[Any]:
        if run_id is None:
            return rows
        return rows.filter(**{f"{self.field_name}__in": invoices_of_run(run_id)})
