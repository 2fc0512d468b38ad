"""A change that comes while a sweep is at work."""

from collections.abc import Callable

from rebilling.models import Run
from tests.support.workers.threads import Gate, threads, wrapped


def changed_after_the_scan(change: Callable[[], object], *, sweep: Callable[[], Run]) -> Run:
    """The change comes after the sweep found the accounts due, and before it locks them. The sweep's run."""
    gate = Gate()

    def after_the_scan(lock: Callable[..., object], ids: list[object]) -> object:
        gate.pass_through()
        return lock(ids)

    with threads() as start, wrapped("rebilling.sweep.lock_accounts", after_the_scan):
        sweeping = start(sweep)
        gate.wait_for_somebody()
        change()
        gate.open()
        return sweeping.result()
