"""Filters of lists that read as strictly as the bodies do."""

import datetime
from typing import Any

from django import forms
from django_filters import rest_framework as filters  # type: ignore[import-untyped]

from api.fields import day_from

CharFilter = filters.CharFilter
ChoiceFilter = filters.ChoiceFilter
ModelChoiceFilter = filters.ModelChoiceFilter


class FilterSet(filters.FilterSet):  # type: ignore[misc]
    """The filters of a list, each a query parameter. A value that makes no sense is refused."""


class DayField(forms.Field):
    """A date in a query, `YYYY-MM-DD`."""

    def to_python(self, value: Any) -> datetime.date | None:
        if value in self.empty_values:
            return None
        day = day_from(value)
        if day is None:
            raise forms.ValidationError("Must be a date, YYYY-MM-DD.")
        return day


class DayFilter(filters.DateFilter):  # type: ignore[misc]
    """Rows whose date compares with the given one."""

    field_class = DayField
