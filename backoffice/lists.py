"""Filters of lists: only those that the pages themselves offer."""

from typing import Any

from django.contrib.admin import FieldListFilter
from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest


class FilteredList(ChangeList):
    """A list that accepts the filters it offers and those of its admin's `linked_lookups`. Any other is refused.

    Django accepts every lookup of every column of the model, also of columns that are never shown, and with values that
    make the query fail.
    """

    model_admin: Any

    def get_filters(self, request: HttpRequest) -> Any:
        """Raises `DisallowedModelAdminLookup`, which becomes a 400 response."""
        found = super().get_filters(request)
        # Each filter has removed its own lookups; these would go to the database unchecked.
        remaining: dict[str, Any] = found[2]
        for lookup in remaining:
            if lookup not in self.model_admin.linked_lookups:
                raise DisallowedModelAdminLookup(f"This list is not filtered by {lookup}.")
        return found


def titled(title: str) -> type[FieldListFilter]:
    """A field's filter under the label that the pages use."""

    class Titled(FieldListFilter):
        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            made = FieldListFilter.create(*args, **kwargs)
            made.title = title
            return made

    return Titled
