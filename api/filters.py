"""Filters of lists, which parse as strictly as the bodies do."""

import datetime
from typing import Any

from django import forms
from django_filters import rest_framework as filters  # type: ignore[import-untyped]
from drf_spectacular.utils import extend_schema_field

from accounts.billing_calendar import DayOutOfRange, in_range
from api.fields import day_from
from api.schema import DAY, DAYS

CharFilter = filters.CharFilter
ChoiceFilter = filters.ChoiceFilter
ModelChoiceFilter = filters.ModelChoiceFilter


class FilterSet(filters.FilterSet):  # type: ignore[misc]
    """The filters of a list, each a query parameter. A value that makes no sense is refused."""


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
