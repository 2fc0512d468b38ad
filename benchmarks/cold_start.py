"""A function's start and its first answer, against those of a bare Django, REST framework and Zappa package.

    python -m benchmarks cold_start

Both packages are locked, compiled and zipped the same way, without what the settings of Zappa leave out, and run under
AWS's own runtime client. The bare one (`benchmarks/bare`) is a new project as Django writes it, with one view that
reads one row. The API's first request reads an account; the worker's first event is a message with one period, which it
charges and collects. Each start is of a new process. Held against each other is the processor's time, which other work
on the machine moves least. The time by the clock stands beside it: our functions' calls to Secrets Manager and SQS are
in it, answered by a local server, and it says little on a busy machine.
"""

import re
import resource
import statistics
import tempfile
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.bare_package import HANDLER as BARE_HANDLER
from benchmarks.bare_package import make_bare_package
from benchmarks.database import benchmark_database
from benchmarks.figures import BUILD, at_most, below, ratios_of, report, shown
from deploy.contents import MIB, report_of
from deploy.package import make_package
from deploy.settings_files import SETTINGS
from deploy.target import Target, python_for, read_settings, target_of, whole_stage

ROUNDS = 7
MAX_PACKAGE_MIB = 20


@dataclass(frozen=True, kw_only=True)
class Start:
    """A function that can be started: its unzipped package, and what it is sent first."""

    task_root: Path
    handler: str
    variables: Mapping[str, str]
    first_event: Callable[[], Any]
    succeeded: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds from the start of the process to its first answer."""

    processor: float
    wall: float


def main() -> None:
    target = target_of(whole_stage(read_settings(SETTINGS), "production"))
    package = make_package(environment="production", extras=(), unless_made=True)
    bare = make_bare_package(target=target)
    taken: dict[str, list[Taken]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, benchmark_database(), _starts(package, bare, Path(folder)) as starts:
        runtime = _runtime_client(target)
        for number in range(ROUNDS + 1):
            for name, start in starts.items():
                figures = _measured(start, runtime=runtime, python=python_for(target), folder=Path(folder))
                # What was never run before is slower: the first round is left out.
                if number:
                    taken[name].append(figures)
        for name, start in starts.items():
            print(_what_weighs_most(name, start, runtime=runtime, python=python_for(target), folder=Path(folder)))
    print(report_of(package))
    processor = {name: [each.processor for each in found] for name, found in taken.items()}
    wall = {name: [each.wall for each in found] for name, found in taken.items()}
    for name in taken:
        of_both = statistics.median(processor[name]) * 1000, statistics.median(wall[name]) * 1000
        print("{}: {:,.0f} ms of the processor's time, {:,.0f} ms until the first answer".format(name, *of_both))
    size = package.stat().st_size / MIB
    report(
        "cold_start",
        [
            at_most("cold start, API: of a bare package's", ratios_of(processor["api"], processor["bare"]), 1.1),
            below("cold start, worker: of a bare package's", ratios_of(processor["worker"], processor["bare"]), 1),
            shown("cold start, API, by the clock: of a bare package's", ratios_of(wall["api"], wall["bare"])),
            shown("cold start, worker, by the clock: of a bare package's", ratios_of(wall["worker"], wall["bare"])),
            at_most(f"package, MiB of {MAX_PACKAGE_MIB}", [size / MAX_PACKAGE_MIB], 1),
        ],
    )


def _measured(start: Start, *, runtime: Path, python: Path, folder: Path) -> Taken:
    from tests.deploy.runtime_api import running_function

    event = start.first_event()
    before, started = _processor_seconds_of_children(), time.perf_counter()
    with running_function(
        task_root=start.task_root,
        runtime=runtime,
        python=python,
        handler=start.handler,
        variables=start.variables,
        log=folder / "log",
    ) as function:
        answer = function.invoke(event)
        passed = time.perf_counter() - started
    assert start.succeeded(answer), answer
    return Taken(processor=_processor_seconds_of_children() - before, wall=passed)


def _what_weighs_most(name: str, start: Start, *, runtime: Path, python: Path, folder: Path, most: int = 12) -> str:
    """The packages that take longest to import, by Python's own count, which takes time itself."""
    variables = {**start.variables, "PYTHONPROFILEIMPORTTIME": "1"}
    (folder / "log").unlink()
    _measured(replace(start, variables=variables), runtime=runtime, python=python, folder=folder)
    milliseconds: dict[str, float] = defaultdict(float)
    modules: Counter[str] = Counter()
    for line in (folder / "log").read_text(encoding="utf-8").splitlines():
        found = re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", line)
        if found:
            milliseconds[found[2]] += int(found[1]) / 1000
            modules[found[2]] += 1
    heaviest = sorted(milliseconds, key=lambda package: -milliseconds[package])[:most]
    listed = [f"  {package:20} {milliseconds[package]:6.0f} {modules[package]:5}" for package in heaviest]
    total = f"{sum(milliseconds.values()):.0f} ms, {modules.total()} modules"
    return "\n".join([f"{name}: imports, {total}; what weighs most, in ms and modules:", *listed])


def _processor_seconds_of_children() -> float:
    """Of those that have ended and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _starts(package: Path, bare: Path, folder: Path) -> Iterator[dict[str, Start]]:
    from api.keys import create_api_key
    from api.models import Scope
    from tests.builders import NOW, an_account
    from tests.deploy.surroundings import HANDLER, HOST, http_event, make_surroundings
    from tests.support.workers.queues import local_queue

    with local_queue(visibility_timeout_seconds=60) as queue:
        around = make_surroundings(queue)
        account = an_account()
        _, key = create_api_key(name="bench", scopes=Scope.values, expires_at=None, now=NOW)
        worker = around.variables("worker")
        ours, theirs = folder / "ours", folder / "bare"
        for zip_path, unzipped in ((package, ours), (bare, theirs)):
            with zipfile.ZipFile(zip_path) as zipped:
                zipped.extractall(unzipped)
        row = _row()
        starts = {
            "bare": Start(
                task_root=theirs,
                handler=BARE_HANDLER,
                variables={
                    "INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT": "1",
                    "SECRET_KEY": "benchmark",
                    "ALLOWED_HOSTS": HOST,
                    **{name: worker[name] for name in ("DATABASE_HOST", "DATABASE_PORT", "DATABASE_NAME")},
                    "DATABASE_USER": worker["DATABASE_APPLICATION_ROLE"],
                },
                first_event=lambda: http_event("GET", f"/customers/{row}"),
                succeeded=lambda answer: answer["statusCode"] == 200,
            ),
            "api": Start(
                task_root=ours,
                handler=HANDLER,
                variables=around.variables("api"),
                first_event=lambda: http_event("GET", f"/v1/accounts/{account.id}", Authorization=f"Bearer {key}"),
                succeeded=lambda answer: answer["statusCode"] == 200,
            ),
            "worker": Start(
                task_root=ours,
                handler=HANDLER,
                variables=worker,
                first_event=lambda: _message(queue.endpoint.queue_url),
                succeeded=lambda answer: answer == {"batchItemFailures": []},
            ),
        }
        yield starts


def _row() -> int:
    """The row that the bare view reads, in a table of its own."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            CREATE TABLE customers_customer (id bigint PRIMARY KEY, name varchar(200), email varchar(254));
            INSERT INTO customers_customer VALUES (1, 'Customer', 'customer@example.com');
            GRANT SELECT ON customers_customer TO PUBLIC;
            """
        )
    return 1


def _message(queue_url: str) -> dict[str, Any]:
    """A message with one period, as Lambda hands it to the worker."""
    from rebilling.models import Rebilling
    from tests.builders import TODAY, QueueInHand, a_message, an_account, swept

    an_account(rebilling_date=TODAY)
    run = swept(as_of=TODAY, queue=QueueInHand())
    body = a_message(run=run, rebillings=Rebilling.objects.filter(run=run))
    arn = f"arn:aws:sqs:us-east-1:123456789012:{queue_url.rsplit('/', 1)[-1]}"
    return {"Records": [{"messageId": "1", "body": body, "eventSource": "aws:sqs", "eventSourceARN": arn}]}


def _runtime_client(target: Target) -> Path:
    """Installed once."""
    from tests.deploy.runtime_api import install_runtime_client

    packages = BUILD / "bench" / f"runtime-client-{target.cache_tag}"
    if not packages.is_dir():
        install_runtime_client(target=target, packages=packages)
    return packages


if __name__ == "__main__":
    main()
