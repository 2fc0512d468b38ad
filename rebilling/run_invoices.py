"""The invoices that a run issued."""

import uuid
from typing import Any

from django.db.models import QuerySet

from rebilling.models import Rebilling


def invoices_of_run(run_id: uuid.UUID) -> QuerySet[Any, Any]:
    """Their ids, for a filter `..._in`."""
    return Rebilling.objects.filter(run_id=run_id, invoice__isnull=False).values("invoice_id")
