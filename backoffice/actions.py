"""What staff may do: an action has a form, a permission and one operation, and is logged in the admin's history."""

import datetime
import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts import clock
from accounts.billing_day import billing_day
from accounts.errors import OperationError
from backoffice.base import ReadOnlyAdmin
from backoffice.forms import ReasonForm
from backoffice.links import page_of
from backoffice.models import User

SEEN = "seen"
"""The form's field that tells which preview the person has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person who performs an action, and when."""

    author: str
    today: datetime.date
    now: datetime.datetime

    def signed(self, data: dict[str, Any]) -> dict[str, Any]:
        """What an operation is given besides what it is to do: the reason in the form's data, by whom, and when."""
        return {"reason": data["reason"], "author": self.author, "today": self.today, "now": self.now}


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action on the row that a page shows.

    `name` is the last part of its path, `permission` is one of `backoffice.User`'s (and `other_permission`, where
    one isn't enough), `offered` says for which rows the
    page has the button, and `perform` (row, the form's data, caller) calls the operation, which may raise an
    `OperationError`. `explanation` may depend on the row. With a `preview`, sentences that say what would be done, the
    form shows them first, and performs what the person has seen and nothing else.
    """

    name: str
    label: str
    explanation: str | Callable[[Any], str]
    done: str
    permission: str
    other_permission: str = ""
    offered: Callable[[Any], bool]
    perform: Callable[[Any, dict[str, Any], Caller], object]
    form: type[ReasonForm] = ReasonForm
    preview: Callable[[Any, dict[str, Any], Caller], list[str]] | None = None

    def allowed(self, request: HttpRequest) -> bool:
        needed = filter(None, (self.permission, self.other_permission))
        return request.user.has_perms([f"backoffice.{permission}" for permission in needed])

    def explained(self, row: Any) -> str:
        return self.explanation if isinstance(self.explanation, str) else self.explanation(row)


class ActingAdmin(ReadOnlyAdmin):
    """A read-only page with buttons that open the actions' forms."""

    page_actions: ClassVar[tuple[Action, ...]] = ()
    change_form_template = "backoffice/page.html"

    def get_urls(self) -> list[URLPattern]:
        forms = [
            path(
                f"<uuid:object_id>/{action.name}/",
                self.admin_site.admin_view(partial(self.action_view, action=action)),
                name=self._url_name(action),
            )
            for action in self.page_actions
        ]
        return forms + super().get_urls()

    def _url_name(self, action: Action) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{action.name}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any
    ) -> HttpResponse:
        # Django gets here only if the person may see the row.
        row = options["obj"]
        context["buttons"] = [
            {"label": action.label, "url": reverse(f"admin:{self._url_name(action)}", args=[row.pk])}
            for action in self.page_actions
            if action.allowed(request) and action.offered(row)
        ] + self.page_links(row)
        context |= self.page_context(row)
        return super().render_change_form(request, context, *args, **options)

    def page_links(self, row: Any) -> list[dict[str, str]]:
        """Buttons that lead to other pages of the row, besides the actions': `label` and `url`."""
        return []

    def page_context(self, row: Any) -> dict[str, Any]:
        """Additional context for the page's template."""
        return {}

    def action_view(self, request: HttpRequest, object_id: uuid.UUID, *, action: Action) -> HttpResponse:
        """Show the action's form (GET), or perform the action (POST)."""
        if not (self.has_view_permission(request) and action.allowed(request)):
            raise PermissionDenied
        row = self.get_object(request, str(object_id))
        if row is None:
            messages.error(request, f"There is no {self.opts.verbose_name} {object_id}.")
            return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))
        form = action.form(request.POST if request.method == "POST" else None, subject=row)
        preview: list[str] = []
        if form.is_valid():
            preview = self._preview(request, row, action, form)
            seen = action.preview is None or (preview and request.POST.get(SEEN) == digest(preview))
            if seen and self._perform(request, row, action, form):
                return HttpResponseRedirect(page_of(row))
        context = {
            **self.admin_site.each_context(request),
            "title": action.label,
            "subtitle": str(row),
            "opts": self.opts,
            "row": row,
            "page": page_of(row),
            "action": action,
            "explanation": action.explained(row),
            "form": form,
            "preview": preview,
            "seen": digest(preview),
            "button": "Preview" if action.preview and not preview else action.label,
        }
        return TemplateResponse(request, "backoffice/action.html", context)

    def _preview(self, request: HttpRequest, row: Any, action: Action, form: ReasonForm) -> list[str]:
        """What the action would do, in sentences; none where it has no preview, or the operation refuses."""
        if action.preview is None:
            return []
        try:
            return action.preview(row, form.cleaned_data, caller_of(request))
        except OperationError as error:
            messages.error(request, form.add_operation_error(error))
            return []

    def _perform(self, request: HttpRequest, row: Any, action: Action, form: ReasonForm) -> bool:
        """Perform it and log it in the row's history, both or neither. Returns False if the operation refuses."""
        caller = caller_of(request)
        try:
            with transaction.atomic():
                action.perform(row, form.cleaned_data, caller)
                self.log_change(request, row, f"{action.label}: {form.cleaned_data['reason']}")
        except OperationError as error:
            messages.error(request, form.add_operation_error(error))
            return False
        messages.success(request, action.done)
        return True


def caller_of(request: HttpRequest) -> Caller:
    """Who sends the request, and when. Raises `PermissionDenied` for nobody of the staff."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    now = clock.now()
    return Caller(author=request.user.author, today=billing_day(now), now=now)


def digest(preview: list[str]) -> str:
    """What a form carries along when the person has seen this preview."""
    return hashlib.sha256("\n".join(preview).encode()).hexdigest()
