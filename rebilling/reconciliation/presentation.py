"""Reconciliations as text and as JSON."""

from typing import Any

from accounts.currencies import display
from accounts.phrases import counted
from rebilling.models import Run
from rebilling.reconciliation.summary import Reconciliation, Tally

_WITH_REASONS = ("skipped", "parked")
_TALLIES = ("due", "charged", "skipped", "parked", "unexplained")


def as_json(reconciliation: Reconciliation) -> dict[str, Any]:
    """The reconciliation as the API's `run`: ids and dates as text, amounts in minor units by currency."""
    run: dict[str, Any] = {
        "id": str(reconciliation.run_id),
        "kind": reconciliation.kind,
        "as_of": reconciliation.as_of.isoformat(),
        "status": reconciliation.status,
    }
    for name in _TALLIES:
        tally: Tally = getattr(reconciliation, name)
        run[name] = {"periods": tally.periods, "amount_minor": tally.amount_minor}
        if name in _WITH_REASONS:
            run[name]["reasons"] = tally.reasons
    return run | {"payments": reconciliation.payments}


def as_text(reconciliation: Reconciliation) -> str:
    """The reconciliation as a table, and one line that says whether everything is explained."""
    of_what = "On-demand run" if reconciliation.kind == Run.Kind.ON_DEMAND else "Run"
    lines = [f"{of_what} {reconciliation.run_id} as of {reconciliation.as_of}, {reconciliation.status}"]
    for name in _TALLIES:
        tally: Tally = getattr(reconciliation, name)
        reasons = ", ".join(f"{reason} {periods}" for reason, periods in sorted(tally.reasons.items()))
        lines.append(
            f"  {name:<12}{tally.periods:>9,}  {amounts_of(tally)}{f'  ({reasons})' if reasons else ''}".rstrip()
        )
    payments = ", ".join(f"{count:,} {status}" for status, count in reconciliation.payments.items())
    named = [f"    {period}" for period in reconciliation.unexplained_first]
    return "\n".join([*lines, f"  payments     {payments}", f"  {verdict(reconciliation)}", *named])


def amounts_of(tally: Tally) -> str:
    """The amounts, each in its currency: `19.99 USD, 500 JPY`."""
    amounts = sorted(tally.amount_minor.items())
    return ", ".join(display(amount_minor=amount, currency=currency) for currency, amount in amounts)


def verdict(reconciliation: Reconciliation) -> str:
    """The reconciliation's result, in one line."""
    if reconciliation.unexplained.periods:
        return f"UNEXPLAINED: {counted(reconciliation.unexplained.periods, 'due period')} not accounted for."
    if reconciliation.status == Run.Status.HELD:
        return f"HELD, nothing is sent: {reconciliation.held_because}"
    if reconciliation.status == Run.Status.CANCELLED:
        return "Cancelled: nothing of it is charged, and the next sweep finds again what is due."
    return _progress(reconciliation)


def _progress(reconciliation: Reconciliation) -> str:
    if reconciliation.sweeping:
        return "In progress: the sweep is still running, or was cut off."
    if reconciliation.waiting:
        return f"In progress: {counted(reconciliation.waiting, 'period')} still to be charged."
    if submitted := reconciliation.payments["submitted"]:
        return f"In progress: {counted(submitted, 'payment')} still to be collected."
    if reconciliation.day_goes_on:
        return "In progress: more may be billed on demand today."
    if reconciliation.status == Run.Status.OPEN and not reconciliation.searched:
        return "In progress: the next hourly check looks whether the sweep missed anything."
    return "Clean: due = charged + skipped + parked."
