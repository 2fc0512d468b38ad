"""Base classes of the admin pages. Another admin theme would be plugged in here."""

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.views.main import ERROR_FLAG, ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.safestring import SafeString

from accounts.currencies import display
from backoffice.choice_columns import Words, has_choices, stored, stored_filter
from backoffice.links import link_to
from backoffice.lists import FilteredList

if TYPE_CHECKING:
    PlainAdmin = admin.ModelAdmin[Any]
else:
    PlainAdmin = admin.ModelAdmin


UNKNOWN_VALUE = "A filter had an invalid value, so this list is not filtered."


class StaffPages(PlainAdmin):
    """The base of all our pages."""

    actions = None
    linked_lookups: ClassVar[tuple[str, ...]] = ()
    """Lookups that links on other pages filter the list by, besides the filters that it offers itself."""

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return FilteredList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup in self.linked_lookups or super().lookup_allowed(lookup, value, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Django redirects here from a filter with an invalid value, without a message.
        if set(request.GET) == {ERROR_FLAG}:
            messages.warning(request, UNKNOWN_VALUE)
        return super().changelist_view(request, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django fails on an empty `?_to_field=`, which means the same as none.
        return super().get_object(request, object_id, from_field or None)


class ReadOnlyAdmin(StaffPages):
    """Read-only pages. Nobody adds, changes or deletes rows here: operations do that."""

    ordering = ("-id",)
    list_per_page = 50
    list_max_show_all = 200
    # Without the count of the whole table beside that of the search results: nobody needs that second query.
    show_full_result_count = False
    words: ClassVar[Mapping[str, Words]] = {}
    """By column, the words for its values, where they aren't shown as they are stored."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._as_stored(name) for name in super().get_list_display(request)]

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return [self._as_stored(name) for name in super().get_fields(request, obj)]

    def _as_stored(self, name: Any) -> Any:
        return stored(self.model, name, self.words.get(name, {})) if has_choices(self.model, name) else name

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [
            (name, stored_filter(self.words.get(str(name), {}))) if has_choices(self.model, name) else name
            for name in super().get_list_filter(request)
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """An id is looked up by primary key; anything else is searched for in `search_fields`."""
        try:
            found = queryset.filter(pk=uuid.UUID(search_term.strip()))
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        if found.exists():
            return found, False
        return super().get_search_results(request, queryset, search_term)


class SuperusersOnly(StaffPages):
    """Pages for superusers only, whatever permissions others have."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_superuser(request)


def _is_superuser(request: HttpRequest) -> bool:
    return request.user.is_active and request.user.is_superuser


def money(field: str, *, description: str, is_column: bool = True) -> Callable[[Any, Any], str]:
    """A column that shows `field`, an amount in minor units, as money in the row's currency.

    A list can be ordered by it where it is a column of the database.
    """

    @admin.display(description=description, ordering=field if is_column else None)
    def shown(_admin: Any, row: Any) -> str:
        return display(amount_minor=getattr(row, field), currency=row.currency)

    return shown


def flag(field: str, *, description: str) -> Callable[[Any, Any], bool]:
    """A column that shows whether `field` is true, as an icon."""

    @admin.display(description=description, ordering=field, boolean=True)
    def shown(_admin: Any, row: Any) -> bool:
        return bool(getattr(row, field))

    return shown


def link(field: str, *, description: str) -> Callable[[Any, Any], SafeString | None]:
    """A column that links to the page of the row's `field`. Add it to `list_select_related`."""

    @admin.display(description=description, ordering=field)
    def shown(_admin: Any, row: Any) -> SafeString | None:
        return link_to(getattr(row, field))

    return shown
