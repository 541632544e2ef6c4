"""The page Imports of block lists: give a file, see what it would do, then block or drop it."""

from typing import Final

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from contacts.blocks import importing
from contacts.models import BlockImport
from contacts.pages import HtmxRequest, is_partial, page
from engage.keyset import page_of
from engage.wake import wake
from messaging.suppression.list_reasons import reason_from

# A smaller file is read at once, a larger one by a worker.
READ_AT_ONCE: Final = 128 * 1024


class ImportForm(forms.Form):
    """A file with a block list."""

    file = forms.FileField(
        label=gettext_lazy("File"),
        error_messages={
            "required": gettext_lazy("Choose a file."),
            "empty": gettext_lazy("This file is empty."),
        },
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        given: UploadedFile[bytes] = self.cleaned_data["file"]
        if (given.size or 0) > settings.IMPORT_MAX_BYTES:
            raise forms.ValidationError(
                _("This file has %(size)s, and %(most)s is the most. Split it, or have it imported on the server.")
                % {"size": filesizeformat(given.size or 0), "most": filesizeformat(settings.IMPORT_MAX_BYTES)}
            )
        return given


@page("contacts.view_block", "contacts.import_block", methods=("GET", "HEAD", "POST"))
def imports(request: HtmxRequest) -> HttpResponse:
    """What was imported, and the form for a further one."""
    if request.method != "POST":
        return _list(request, ImportForm())
    form = ImportForm(request.POST, request.FILES)
    if not form.is_valid():
        return _list(request, form, status=422)
    file = form.cleaned_data["file"]
    given = importing.give(file.name, file.size, file.chunks(importing.PART_BYTES), actor_id=request.user.pk)
    if file.size <= READ_AT_ONCE:
        importing.read_given(given.pk, reason_from)
    else:
        wake("messaging.tasks.carry_on_imports")
    return redirect(given)


@page("contacts.view_block", "contacts.import_block")
def one_import(request: HtmxRequest, pk: int) -> HttpResponse:
    """What an import would do or did; for HTMX, which asks again and again, how far it is."""
    given = get_object_or_404(BlockImport.objects.select_related("actor"), pk=pk)
    part = "blocks/import_state.html" if is_partial(request) else "blocks/import.html"
    return render(request, part, {"given": given})


@page("contacts.view_block", "contacts.import_block", methods=("POST",))
def confirm(_request: HtmxRequest, pk: int) -> HttpResponse:
    given = get_object_or_404(BlockImport, pk=pk)
    if importing.confirm(pk):
        given.refresh_from_db()
        if given.is_running:
            wake("messaging.tasks.carry_on_imports")
    return redirect(given)


@page("contacts.view_block", "contacts.import_block", methods=("POST",))
def drop(request: HtmxRequest, pk: int) -> HttpResponse:
    given = get_object_or_404(BlockImport, pk=pk)
    if importing.drop(pk):
        messages.success(request, _("Dropped: nothing of %(file)s was blocked.") % {"file": given.file_name})
        return redirect("messaging:imports")
    return redirect(given)


def _list(request: HtmxRequest, form: ImportForm, status: int = 200) -> HttpResponse:
    found = page_of(BlockImport.objects.select_related("actor"), request.GET.get("before", ""))
    context = {"page": found, "form": form, "most": settings.IMPORT_MAX_BYTES}
    return render(request, "blocks/imports.html", context, status=status)
