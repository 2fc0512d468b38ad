"""Certificates for people to read, and for programs."""

from typing import Any

from accounts.currencies import display
from rebilling.certificate import Certificate, Tally
from rebilling.models import Run

_REASONED = ("skipped", "parked")
_TALLIES = ("due", "charged", "skipped", "parked", "unexplained")


def as_json(certificate: Certificate) -> dict[str, Any]:
    """The certificate as the API's `run`: ids and dates as text, amounts in minor units by currency."""
    run: dict[str, Any] = {
        "id": str(certificate.run_id),
        "as_of": certificate.as_of.isoformat(),
        "status": certificate.status,
    }
    for name in _TALLIES:
        tally: Tally = getattr(certificate, name)
        run[name] = {"periods": tally.periods, "amount_minor": tally.amount_minor}
        if name in _REASONED:
            run[name]["reasons"] = tally.reasons
    return run | {"payments": certificate.payments}


def as_text(certificate: Certificate) -> str:
    """The certificate as a table, and one line that says whether everything is explained."""
    lines = [f"Run {certificate.run_id} as of {certificate.as_of}, {certificate.status}"]
    for name in _TALLIES:
        tally: Tally = getattr(certificate, name)
        reasons = ", ".join(f"{reason} {periods}" for reason, periods in sorted(tally.reasons.items()))
        lines.append(
            f"  {name:<12}{tally.periods:>9,}  {amounts_of(tally)}{f'  ({reasons})' if reasons else ''}".rstrip()
        )
    payments = ", ".join(f"{count:,} {status}" for status, count in certificate.payments.items())
    named = [f"    {period}" for period in certificate.unexplained_first]
    return "\n".join([*lines, f"  payments     {payments}", f"  {verdict(certificate)}", *named])


def amounts_of(tally: Tally) -> str:
    """The amounts, each in its currency: `19.99 USD, 500 JPY`."""
    amounts = sorted(tally.amount_minor.items())
    return ", ".join(display(amount_minor=amount, currency=currency) for currency, amount in amounts)


def verdict(certificate: Certificate) -> str:
    """What the certificate comes to, in one line."""
    if certificate.unexplained.periods:
        return f"UNEXPLAINED: {certificate.unexplained.periods:,} periods that were due are not accounted for."
    if certificate.status == Run.Status.HELD:
        return f"HELD, nothing is sent: {certificate.held_because}"
    if certificate.status == Run.Status.CANCELLED:
        return "Cancelled: nothing of it is charged; the next sweep finds again what is due."
    return _progress(certificate)


def _progress(certificate: Certificate) -> str:
    if certificate.sweeping:
        return "In progress: the sweep is still at work, or was cut off."
    if certificate.waiting:
        return f"In progress: {certificate.waiting:,} periods are still to be charged."
    if submitted := certificate.payments["submitted"]:
        return f"In progress: {submitted:,} payments are still to be collected."
    return "Clean: due = charged + skipped + parked."
