"""Papers of the admin: an invoice, a credit note or a statement as a page to print, and as PDF."""

import base64
import datetime
import uuid
from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from accounts import clock
from accounts.billing_calendar import DayOutOfRange, in_range
from accounts.billing_day import billing_day
from accounts.errors import Missing, OperationError
from backoffice.links import page_of
from papers.company import Company
from papers.files import file_of
from papers.paper import SIZES, Paper, Size
from papers.pdf import is_installed
from papers.statement_paper import statement_paper

Find = Callable[[uuid.UUID], Paper]
STATEMENT = "accounts_account_statement"
"""Of the path of an account's statement."""


class StatementForm(forms.Form):
    """The days of a statement, both included."""

    since = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def clean_since(self) -> datetime.date:
        return _in_range(self.cleaned_data["since"])

    def clean_until(self) -> datetime.date:
        return _in_range(self.cleaned_data["until"])


def _in_range(day: datetime.date) -> datetime.date:
    try:
        return in_range(day)
    except DayOutOfRange as error:
        raise forms.ValidationError(str(error)) from error


def paper_urls(admin: "ModelAdmin[Any]", find: Find) -> list[URLPattern]:
    """The paths of a row's paper: to print, and as PDF."""
    view = admin.admin_site.admin_view
    name = f"{admin.opts.app_label}_{admin.opts.model_name}"

    def page(request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        return _page(request, _found(admin, request, object_id, find), row_path=_row_path(admin, object_id))

    def pdf(request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        return _pdf(request, _found(admin, request, object_id, find), back=_row_path(admin, object_id))

    return [
        path("<uuid:object_id>/paper/", view(page), name=f"{name}_paper"),
        path("<uuid:object_id>/pdf/", view(pdf), name=f"{name}_pdf"),
    ]


def paper_links(row: Any) -> list[dict[str, str]]:
    """The buttons of a row's page that lead to its paper; without the extra there is no PDF."""
    name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
    links = [{"label": "Print", "url": reverse(f"{name}_paper", args=[row.pk])}]
    return links + ([{"label": "PDF", "url": reverse(f"{name}_pdf", args=[row.pk])}] if is_installed() else [])


def statement_urls(admin: "ModelAdmin[Any]") -> list[URLPattern]:
    """The paths of an account's statement: the form, which leads to the page, and the PDF."""
    view = admin.admin_site.admin_view

    def page(request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        form = StatementForm(request.GET) if "since" in request.GET else StatementForm(initial=_last_month())
        paper = _stated(admin, request, object_id, form)
        if paper is None:
            return _statement_form(admin, request, object_id, form)
        return _page(request, paper, row_path=_row_path(admin, object_id))

    def pdf(request: HttpRequest, object_id: uuid.UUID) -> HttpResponse:
        form = StatementForm(request.GET)
        paper = _stated(admin, request, object_id, form)
        if paper is None:
            return _statement_form(admin, request, object_id, form)
        return _pdf(request, paper, back=reverse(f"admin:{STATEMENT}", args=[object_id]))

    return [
        path("<uuid:object_id>/statement/", view(page), name=STATEMENT),
        path("<uuid:object_id>/statement/pdf/", view(pdf), name=f"{STATEMENT}_pdf"),
    ]


def _row_path(admin: "ModelAdmin[Any]", object_id: uuid.UUID) -> str:
    return page_of(admin.model(pk=object_id))


def _found(admin: "ModelAdmin[Any]", request: HttpRequest, object_id: uuid.UUID, find: Find) -> Paper:
    if not admin.has_view_permission(request):
        raise PermissionDenied
    try:
        return find(object_id)
    except Missing as error:
        raise Http404(error.detail) from error


def _stated(admin: "ModelAdmin[Any]", request: HttpRequest, object_id: uuid.UUID, form: StatementForm) -> Paper | None:
    """The statement of the form's days; None where there are none yet, or they can't be."""

    def find(account_id: uuid.UUID) -> Paper:
        return statement_paper(account_id=account_id, **form.cleaned_data)

    if not form.is_valid():
        _found(admin, request, object_id, lambda _: cast(Paper, None))
        return None
    try:
        return _found(admin, request, object_id, find)
    except OperationError as error:
        form.add_error(None, " ".join([error.detail, *error.errors.values()]))
        return None


def _last_month() -> dict[str, datetime.date]:
    until = billing_day(clock.now()).replace(day=1) - datetime.timedelta(days=1)
    return {"since": until.replace(day=1), "until": until}


def _statement_form(
    admin: "ModelAdmin[Any]", request: HttpRequest, object_id: uuid.UUID, form: StatementForm
) -> HttpResponse:
    row = admin.get_object(request, str(object_id))
    if row is None:
        raise Http404
    context = {
        **admin.admin_site.each_context(request),
        "title": "Statement",
        "opts": admin.opts,
        "row": row,
        "page": page_of(row),
        "form": form,
    }
    return TemplateResponse(request, "backoffice/statement.html", context)


def _size(request: HttpRequest) -> Size:
    """The one that is asked for, or the setting's."""
    asked = request.GET.get("size", "")
    wanted = asked if asked in SIZES else settings.COMPANY_PAPER_SIZE
    return next(size for size in SIZES if size == wanted)


def _page(request: HttpRequest, paper: Paper, *, row_path: str) -> HttpResponse:
    size = _size(request)
    query = {name: str(value) for name, value in request.GET.items() if name in {"since", "until"}}
    other = next(each for each in SIZES if each != size)
    context = {
        "paper": paper,
        "logo": _data_url(paper.company),
        "size": size.lower(),
        "back": row_path,
        "other": {"label": f"On {other}", "url": f"?{urlencode(query | {'size': other})}"},
        "pdf": f"{_pdf_path(request)}?{urlencode(query | {'size': size})}" if is_installed() else "",
    }
    return TemplateResponse(request, "backoffice/paper.html", context)


def _pdf_path(request: HttpRequest) -> str:
    own = request.path
    return f"{own.removesuffix('paper/')}pdf/"


def _data_url(company: Company) -> str:
    return f"data:{company.logo_media_type};base64,{base64.b64encode(company.logo).decode()}" if company.logo else ""


def _pdf(request: HttpRequest, paper: Paper, *, back: str) -> HttpResponse:
    try:
        file = file_of(paper, size=_size(request))
    except OperationError as error:
        messages.error(request, error.detail)
        return HttpResponseRedirect(back)
    disposition = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return HttpResponse(file.content, content_type=file.media_type, headers=disposition)
