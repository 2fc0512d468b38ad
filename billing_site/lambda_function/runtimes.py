"""Lambda's runtimes that a function may run on, and when AWS ends them."""

import datetime
from dataclasses import dataclass

from dateutil.relativedelta import relativedelta

WARNED_BEFORE = relativedelta(months=6)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """`ends` is the last day on which AWS fixes the runtime; `blocked` the first on which no function of it can be
    updated. Functions keep running after both.
    """

    name: str
    ends: datetime.date
    blocked: datetime.date

    @property
    def python(self) -> str:
        """The version of its Python, as 3.13."""
        return self.name.removeprefix("python")


RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime(name="python3.12", ends=datetime.date(2028, 10, 31), blocked=datetime.date(2029, 1, 10)),
        Runtime(name="python3.13", ends=datetime.date(2029, 6, 30), blocked=datetime.date(2029, 8, 31)),
    )
}
"""Both are built on Amazon Linux 2023. docs/deploy.md has the same dates."""


def warning_of(runtime: Runtime, *, today: datetime.date) -> str | None:
    """The warning about a runtime from half a year before its end; None until then."""
    if today < runtime.ends - WARNED_BEFORE:
        return None
    ends = "ended" if today > runtime.ends else "ends"
    return (
        f"Lambda's {runtime.name} {ends} on {runtime.ends}: it gets no fixes after that day, and from "
        f"{runtime.blocked} on no function of it can be updated. Move to a newer one (docs/deploy.md)"
    )
