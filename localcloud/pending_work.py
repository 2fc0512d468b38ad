"""The work that waits for a person or a provider, in lines for the terminal."""

from collections.abc import Iterator

from accounts.phrases import counted
from localcloud.platform.preparation import command_line
from payments.models import Payment, Refund
from rebilling.models import Rebilling, Run


def list_pending_work() -> list[str]:
    """A line for each held run, one for parked periods, and one each for payments and refunds without an outcome."""
    return [*_held(), *_parked(), *_open(Payment, "payment"), *_open(Refund, "refund")]


def how_to_decide(run: Run) -> str:
    """The commands by which a person decides about a held run."""
    release = command_line(f"release_run {run.id} --reason R")
    cancel = command_line(f"cancel_run {run.id} --reason R")
    return f"Look into it and release it, with the platform running (`{release}`), or cancel it (`{cancel}`)."


def _held() -> Iterator[str]:
    for run in Run.objects.filter(status=Run.Status.HELD).order_by("id"):
        periods = counted(run.rebillings.count(), "period")
        yield f"Run {run.id} of {run.as_of} is held, with {periods}. {how_to_decide(run)}"


def _parked() -> Iterator[str]:
    """Those of a held run are decided about with it."""
    parked = Rebilling.objects.filter(status=Rebilling.Status.PARKED).exclude(run__status=Run.Status.HELD).count()
    if parked:
        yield f"{counted(parked, 'period')} parked: release or skip in the admin, under Billing periods."


def _open(model: type[Payment] | type[Refund], noun: str) -> Iterator[str]:
    found = model.objects.filter(status__in=model.IN_FLIGHT)
    if number := found.count():
        people = found.filter(needs_review=True).count()
        yield f"{counted(number, noun)} without a known outcome; {people:,} of them need review."
