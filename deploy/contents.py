"""Checks of the package: what may be in it, and how large it may be. They read the zip, however it was made."""

import ast
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

from billing_site.database.authorities import BUNDLE, fault_of
from deploy.environment import ROOT, TASK_ROOT
from deploy.source import SHIPPED, STATIC_FOLDER
from deploy.target import ARCHITECTURES, Target

MIB = 1024 * 1024
MAX_ZIPPED_BYTES = 50 * MIB
"""The most that Lambda takes in a direct upload."""
MAX_UNZIPPED_BYTES = 250 * MIB
"""The most that Lambda unpacks."""

_ZAPPA_SETTINGS = "zappa_settings.py"
NEVER = [
    *("tests", "terraform", "localcloud", "docs", "benchmarks", "deploy", "requirements", "build"),
    *(".env*", ".git*", ".venv*", ".local*", "manage.py", "Makefile", "zappa_settings.json", "package_info.json"),
]
"""At the zip's root."""
NEVER_ANYWHERE = [".env*", "zappa_settings.json", "*.tfstate*", "*.tfvars", "*.sqlite3"]
EXTRAS = {
    "stripe": ["stripe"],
    "pdf": ["fpdf", "uharfbuzz", "fontpkg_arimo", "fontpkg_noto_sans_arabic"],
}
"""The packages of each extra: all of them are in a package that has the extra, or none."""
GATEWAY_EXTRAS = ["stripe"]
"""Those that only one payment gateway needs; its class path contains their name."""
NEEDED = [
    "billing_site/lambda_function/entry.py",
    "handler.py",
    _ZAPPA_SETTINGS,
    "psycopg2/__init__.py",
    f"{STATIC_FOLDER}/staticfiles.json",
]
NO_AUTHORITIES = f"DATABASE_SSLROOTCERT needs {BUNDLE}: download it (docs/deploy.md) and make the package anew"
_UNCHECKED_HASH = 1
"""The flags of byte code that is used without a look at its source (PEP 552)."""
_MACHINES = {each.elf_machine: each.name for each in ARCHITECTURES.values()}
_OF_ONE_PYTHON = re.compile(r"\.(cpython-\d+)-[^/]*\.so$")


def faults_of(
    zip_path: Path, *, target: Target, variables: Mapping[str, str] | None = None, modules: Collection[str] = ()
) -> list[str]:
    """Everything that keeps a package from being deployed, a line each; empty when it is fit.

    `target` is what the stage's functions run on. `variables` are the stage's: they may name a payment gateway, whose
    library is an extra, and the authorities by which the database is verified. Either may have been left out. `modules`
    are those that it must hold. They are the checkout's only for a package that was just made: one that
    was kept is of another release.
    """
    wanted = variables or {}
    gateway = wanted.get("PAYMENT_GATEWAY", "")
    with zipfile.ZipFile(zip_path) as package:
        return [
            *_too_large(zip_path, package),
            *_out_of_place(package),
            *(f"{name} is missing" for name in [*NEEDED, *modules] if name not in package.NameToInfo),
            *_unfit_libraries(package, target=target),
            *_stale_byte_code(package, target=target),
            *_settings_that_zappa_wrote(package),
            *(
                f"PAYMENT_GATEWAY needs {extra}: make package EXTRAS={extra}"
                for extra in GATEWAY_EXTRAS
                if extra in gateway and _missing_of(extra, package)
            ),
            *(
                f"{missing} is missing, which {extra} needs: make package EXTRAS={extra}"
                for extra, needed in EXTRAS.items()
                for missing in _missing_of(extra, package)
                if len(_missing_of(extra, package)) < len(needed)
            ),
            *_unfit_authorities(package, named=wanted.get("DATABASE_SSLROOTCERT", "")),
        ]


def report_of(zip_path: Path, *, max_folders: int = 10) -> str:
    """Its size, and what weighs most in it."""
    zipped: Counter[str] = Counter()
    unzipped: Counter[str] = Counter()
    with zipfile.ZipFile(zip_path) as package:
        for entry in package.infolist():
            top = entry.filename.split("/")[0]
            zipped[top] += entry.compress_size
            unzipped[top] += entry.file_size
    lines = [
        f"package          {zip_path}",
        f"zipped           {zip_path.stat().st_size / MIB:6.1f} MB of {MAX_ZIPPED_BYTES // MIB}",
        f"unzipped         {unzipped.total() / MIB:6.1f} MB of {MAX_UNZIPPED_BYTES // MIB}",
        "what weighs most, in MB zipped and unzipped:",
        *(
            f"  {name:30} {size / MIB:6.1f} {unzipped[name] / MIB:6.1f}"
            for name, size in zipped.most_common(max_folders)
        ),
    ]
    return "\n".join(lines)


def _missing_of(extra: str, package: zipfile.ZipFile) -> list[str]:
    return [name for name in EXTRAS[extra] if f"{name}/__init__.py" not in package.NameToInfo]


def _too_large(zip_path: Path, package: zipfile.ZipFile) -> Iterator[str]:
    sizes = [
        ("zipped", zip_path.stat().st_size, MAX_ZIPPED_BYTES),
        ("unzipped", sum(entry.file_size for entry in package.infolist()), MAX_UNZIPPED_BYTES),
    ]
    for how, size, maximum in sizes:
        if size > maximum:
            yield f"{size / MIB:.1f} MB {how}: Lambda takes {maximum // MIB}"


def _out_of_place(package: zipfile.ZipFile) -> Iterator[str]:
    for name in package.namelist():
        top, base = name.split("/")[0], name.rsplit("/", 1)[-1]
        if any(fnmatch(top, never) for never in NEVER) or any(fnmatch(base, never) for never in NEVER_ANYWHERE):
            yield f"{name} doesn't belong in the package"


def _unfit_authorities(package: zipfile.ZipFile, *, named: str) -> Iterator[str]:
    """`named` is where the functions look for them."""
    folder = BUNDLE.split("/")[0]
    for name in package.namelist():
        if name.startswith(f"{folder}/") and name not in {BUNDLE, f"{folder}/"}:
            yield f"{name} doesn't belong in the package"
    if named and named != f"{TASK_ROOT}/{BUNDLE}":
        yield f"DATABASE_SSLROOTCERT is {named}: the package has RDS's bundle at {TASK_ROOT}/{BUNDLE}"
    if BUNDLE in package.NameToInfo:
        fault = fault_of(package.read(BUNDLE))
        if fault:
            yield f"{BUNDLE} {fault}: download it anew (docs/deploy.md)"
    elif named:
        yield NO_AUTHORITIES


def modules_of_the_checkout() -> list[str]:
    """The product's modules, as a package that is made of them names them."""
    return [path.relative_to(ROOT).as_posix() for shipped in SHIPPED for path in sorted((ROOT / shipped).rglob("*.py"))]


def _unfit_libraries(package: zipfile.ZipFile, *, target: Target) -> Iterator[str]:
    """Compiled libraries for another machine or another Python. The wheels' tags promise that its glibc is enough."""
    for name in package.namelist():
        with package.open(name) as file:
            header = file.read(20)
        if header[:4] != b"\x7fELF":
            continue
        machine = int.from_bytes(header[18:20], "little")
        if machine != target.architecture.elf_machine:
            yield f"{name} is for {_MACHINES.get(machine, f'machine {machine}')}, not for {target.architecture.name}"
        found = _OF_ONE_PYTHON.search(name)
        if found and found[1] != target.cache_tag:
            yield f"{name} is for another Python than {target.runtime.name}"


def _stale_byte_code(package: zipfile.ZipFile, *, target: Target) -> Iterator[str]:
    """Byte code that Lambda would throw away, and modules of the product that have none."""
    names = {*package.namelist()}
    begins = {name: package.read(name)[:8] for name in sorted(names) if name.endswith(".pyc")}
    of_another = [name for name, begin in begins.items() if begin[:4] != target.magic_number]
    if of_another:
        # All of it, mostly: one line will do.
        yield (
            f"{of_another[0]} is byte code of another Python than {target.runtime.name}, and so are "
            f"{len(of_another) - 1} more: make the package anew, or let the settings' runtime be the package's"
        )
        return
    for name, begin in begins.items():
        if int.from_bytes(begin[4:8], "little") != _UNCHECKED_HASH:
            yield f"{name} is byte code with a date: it would be stale on Lambda"
    for name in sorted(names):
        folder, _, base = name.rpartition("/")
        # Zappa makes packages of the folders of byte code too.
        own = name.split("/")[0] in SHIPPED and name.endswith(".py") and "__pycache__" not in name
        if own and f"{folder}/__pycache__/{base.removesuffix('.py')}.{target.cache_tag}.pyc" not in names:
            yield f"{name} has no byte code"


def _settings_that_zappa_wrote(package: zipfile.ZipFile) -> Iterator[str]:
    """What Zappa's handler goes by. It is in plain text, and part of it would be run."""
    if _ZAPPA_SETTINGS not in package.NameToInfo:
        return
    held: dict[str, object] = {}
    for node in ast.parse(package.read(_ZAPPA_SETTINGS)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            held[node.targets[0].id] = ast.literal_eval(node.value)
    variables = held.get("ENVIRONMENT_VARIABLES")
    if not isinstance(variables, dict) or variables.keys() - {"AWS_REGION"}:
        yield f"{_ZAPPA_SETTINGS} holds variables in plain text: use aws_environment_variables"
    wanted = {"DEBUG": False, "LOG_LEVEL": "INFO", "BINARY_SUPPORT": True, "AWS_EVENT_MAPPING": {}}
    yield from (
        f"{_ZAPPA_SETTINGS} must have {name}={value!r}" for name, value in wanted.items() if held.get(name) != value
    )
    if "WEBSOCKET_HANDLER_MODULE" in held:
        yield f"{_ZAPPA_SETTINGS} names a handler of websockets, and the product has none"
