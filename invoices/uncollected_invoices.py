"""OPEN invoices that nothing collects by itself: a person has to collect them, or give them up."""

from django.db.models import Exists, OuterRef, Q

from accounts.models import Account
from invoices.models import Invoice


def uncollected() -> Q:
    """Filters invoices: OPEN, collected by us, without a payment in flight, and not dunned.

    One that was never declined isn't dunned. One that was isn't where its account has no next step, unless the step is
    being taken: a declined invoice of the account is in flight.
    """
    taking_a_step = Invoice.objects.filter(
        account_id=OuterRef("account_id"), status=Invoice.Status.OPEN, declined_on__isnull=False, in_flight=True
    )
    return Q(
        Q(declined_on__isnull=True) | Q(account__dunning_on__isnull=True) & ~Exists(taking_a_step),
        status=Invoice.Status.OPEN,
        collection_method=Account.CollectionMethod.AUTOMATIC,
        in_flight=False,
    )
