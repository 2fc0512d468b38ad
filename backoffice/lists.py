"""How lists are filtered: as their own pages do it, and in no other way."""

from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest


class FilteredList(ChangeList):
    """A list that takes the filters it offers, and those of its admin's `linked_lookups`. Any other is refused.

    Django takes every look-up of every column of the model: of what is never shown too, and also with values that
    the database can't be asked for.
    """

    model_admin: Any

    def get_filters(self, request: HttpRequest) -> Any:
        """Raises `DisallowedModelAdminLookup`, which is answered with 400."""
        found = super().get_filters(request)
        # Each filter has taken out what is its own; these would go to the database as they came.
        left: dict[str, Any] = found[2]
        for lookup in left:
            if lookup not in self.model_admin.linked_lookups:
                raise DisallowedModelAdminLookup(f"This list is not filtered by {lookup}.")
        return found
