"""The page that opens an account: a form, what it comes to, and one operation."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse

from accounts.account_opening import AccountOpenedBefore
from accounts.errors import OperationError
from accounts.ids import new_id
from accounts.models import Account
from backoffice.actions import SEEN, Caller, caller_of, digest
from backoffice.links import page_of
from backoffice.opening_form import OpeningForm
from backoffice.opening_preview import opened_in_words, opening_preview
from subscriptions.sign_up import SignedUp, sign_up

LABEL = "Open an account"
PERMISSION = "backoffice.open_account"


def opening_page(admin: "ModelAdmin[Any]", request: HttpRequest) -> HttpResponse:
    """Show the form (GET); preview the account, or open the one that the person has seen (POST). The same form sent
    again leads to the account that it has opened; for another customer, as after the browser's "back", it begins anew.
    """
    if not admin.has_add_permission(request):
        raise PermissionDenied
    caller = caller_of(request)
    form = _form(request, caller, request.POST if request.method == "POST" else None)
    preview: list[str] = []
    if form.is_valid():
        try:
            preview = opening_preview(partial(_sign_up, form, caller), caller)
            if request.POST.get(SEEN) == digest(preview):
                return _open(admin, request, form, caller)
        except AccountOpenedBefore as error:
            opened, preview = Account.objects.get(id=form.cleaned_data["submission"]), []
            if (opened.name, opened.email) == (form.cleaned_data["name"], form.cleaned_data["email"]):
                messages.warning(request, error.detail)
                return HttpResponseRedirect(page_of(opened))
            messages.error(request, f"This form has opened {opened.name} already. Nothing was opened now: go on here.")
            form = _form(request, caller, _anew(request.POST))
        except OperationError as error:
            preview = []
            messages.error(request, form.add_operation_error(error))
    context = {
        **admin.admin_site.each_context(request),
        "title": LABEL,
        "opts": admin.opts,
        "form": form,
        "preview": preview,
        "seen": digest(preview),
        "button": LABEL if preview else "Preview",
    }
    return TemplateResponse(request, "backoffice/account_opening.html", context)


def _sign_up(form: OpeningForm, caller: Caller) -> SignedUp:
    return sign_up(
        new=form.new_account(),
        discount=form.new_discount(),
        billing=form.cleaned_data["billing"],
        author=caller.author,
        today=caller.today,
        now=caller.now,
    )


def _open(admin: "ModelAdmin[Any]", request: HttpRequest, form: OpeningForm, caller: Caller) -> HttpResponse:
    """Open it and log it in its history, both or neither."""
    with transaction.atomic():
        signed_up = _sign_up(form, caller)
        admin.log_addition(request, signed_up.account, LABEL)
    messages.success(request, opened_in_words(signed_up))
    return HttpResponseRedirect(page_of(signed_up.account))


def _form(request: HttpRequest, caller: Caller, data: QueryDict | None) -> OpeningForm:
    return OpeningForm(data, user=request.user, today=caller.today)


def _anew(data: QueryDict) -> QueryDict:
    """The same form, to open another account."""
    copy = data.copy()
    copy["submission"] = str(new_id())
    return copy
