"""What a package is refused for: each fault in a small zip of its own."""

import marshal
import py_compile
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from billing_site.database.authorities import BUNDLE
from deploy import contents
from deploy.contents import modules_of_the_checkout, report_of
from deploy.target import target_of
from deploy.zip_file import write_reproducibly
from tests.support.lambdas.tls import a_certificate

GOOD_SETTINGS = """
DEBUG=False
LOG_LEVEL='INFO'
BINARY_SUPPORT=True
ENVIRONMENT_VARIABLES={'AWS_REGION': 'us-east-1'}
AWS_EVENT_MAPPING={}
"""


TARGET = target_of({"runtime": "python3.13", "architecture": "x86_64"})


def faults_of(zip_path: Path, **more: Any) -> list[str]:
    """On x86_64, for 3.13."""
    return contents.faults_of(zip_path, target=TARGET, **more)


def byte_code(*, flags: int, magic_number: bytes = TARGET.magic_number) -> bytes:
    code = marshal.dumps(compile("", "x", "exec"))
    return magic_number + flags.to_bytes(4, "little") + bytes(8) + code


def library(*, machine: int) -> bytes:
    """The header of a compiled library, as ELF has it."""
    return b"\x7fELF\x02\x01\x01".ljust(18, b"\0") + machine.to_bytes(2, "little") + bytes(44)


def a_zip(folder: Path, changes: Mapping[str, bytes | str | None] | None = None) -> Path:
    """A package that is fit but for the changes; None leaves a file out."""
    files: dict[str, bytes | str | None] = dict.fromkeys(contents.NEEDED, "")
    files |= {
        "zappa_settings.py": GOOD_SETTINGS,
        "billing_site/lambda_function/__pycache__/entry.cpython-313.pyc": byte_code(flags=1),
        **(changes or {}),
    }
    path = folder / "package.zip"
    with zipfile.ZipFile(path, "w") as package:
        for name, content in files.items():
            if content is not None:
                package.writestr(name, content)
    return path


class TestFaults:
    def test_are_none_in_a_fit_package(self, tmp_path: Path) -> None:
        assert faults_of(a_zip(tmp_path)) == []

    @pytest.mark.parametrize(
        "name",
        [
            "tests/test_x.py",
            "terraform/main.tf",
            "localcloud/__init__.py",
            "docs/x.md",
            "benchmarks/batches.py",
            "deploy/contents.py",
            ".env",
            ".env.production",
            "api/.env",
            "zappa_settings.json",
            "terraform.tfstate",
            "x/production.tfvars",
            "package_info.json",
        ],
    )
    def test_name_what_does_not_belong_there(self, tmp_path: Path, name: str) -> None:
        assert faults_of(a_zip(tmp_path, {name: ""})) == [f"{name} doesn't belong in the package"]

    def test_take_no_offence_at_folders_of_packages(self, tmp_path: Path) -> None:
        assert faults_of(a_zip(tmp_path, {"boto3/docs/__init__.py": "", "django/test/tests.py": ""})) == []

    @pytest.mark.parametrize("name", contents.NEEDED)
    def test_name_what_is_missing(self, tmp_path: Path, name: str) -> None:
        assert f"{name} is missing" in faults_of(a_zip(tmp_path, {name: None}))

    def test_name_a_module_that_a_package_made_just_now_lacks(self, tmp_path: Path) -> None:
        modules = ["billing_site/lambda_function/entry.py", "rebilling/added.py"]
        assert faults_of(a_zip(tmp_path), modules=modules) == ["rebilling/added.py is missing"]

    def test_are_none_in_a_package_that_was_kept_from_a_release_with_fewer_modules(self, tmp_path: Path) -> None:
        """It is what rolling back goes to, from a checkout that has gone on."""
        kept = a_zip(tmp_path)
        assert len(modules_of_the_checkout()) > 100
        with zipfile.ZipFile(kept) as package:
            assert {*modules_of_the_checkout()} - {*package.namelist()} != set()
        assert faults_of(kept) == []

    def test_name_a_module_without_byte_code_that_the_checkout_does_not_have(self, tmp_path: Path) -> None:
        # The second is as Zappa adds it to each folder.
        changes = {"rebilling/gone.py": "", "rebilling/__pycache__/__init__.py": ""}
        assert faults_of(a_zip(tmp_path, changes)) == ["rebilling/gone.py has no byte code"]

    def test_name_a_package_past_what_lambda_takes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = a_zip(tmp_path, {"big": bytes(3 * 1024 * 1024)})
        monkeypatch.setattr(contents, "MAX_UNZIPPED_BYTES", 3 * 1024 * 1024)
        assert faults_of(path) == ["3.0 MB unzipped: Lambda takes 3"]
        monkeypatch.setattr(contents, "MAX_UNZIPPED_BYTES", 4 * 1024 * 1024)
        monkeypatch.setattr(contents, "MAX_ZIPPED_BYTES", 1024)
        assert len(faults_of(path)) == 1

    def test_go_by_the_limits_of_lambda(self) -> None:
        assert (contents.MAX_ZIPPED_BYTES, contents.MAX_UNZIPPED_BYTES) == (52_428_800, 262_144_000)

    @pytest.mark.parametrize(("flags", "fit"), [(0, False), (1, True), (3, False)])
    def test_name_byte_code_that_lambda_would_throw_away(self, tmp_path: Path, flags: int, fit: bool) -> None:
        found = faults_of(a_zip(tmp_path, {"x/__pycache__/y.cpython-313.pyc": byte_code(flags=flags)}))
        assert (found == []) is fit

    def test_know_byte_code_as_python_writes_it(self, tmp_path: Path) -> None:
        source = tmp_path / "y.py"
        source.write_text("")
        # Of this Python, which need not be the package's.
        here = target_of({"runtime": "python{}.{}".format(*max(sys.version_info, (3, 12))), "architecture": "x86_64"})
        for mode, flags in (
            (py_compile.PycInvalidationMode.UNCHECKED_HASH, 1),
            (py_compile.PycInvalidationMode.TIMESTAMP, 0),
        ):
            compiled = Path(str(py_compile.compile(str(source), invalidation_mode=mode))).read_bytes()
            assert int.from_bytes(compiled[4:8], "little") == flags
            assert (compiled[:4] == here.magic_number) is (sys.version_info >= (3, 12))

    def test_name_byte_code_of_another_python_once(self, tmp_path: Path) -> None:
        """As a whole package for another runtime has it: a line for each file would be thousands."""
        of_311 = byte_code(flags=1, magic_number=b"\xa7\r\r\n")
        changes: dict[str, bytes | str | None] = {f"x/__pycache__/{n}.cpython-311.pyc": of_311 for n in "abc"}
        changes["billing_site/lambda_function/__pycache__/entry.cpython-313.pyc"] = None
        assert faults_of(a_zip(tmp_path, changes)) == [
            "x/__pycache__/a.cpython-311.pyc is byte code of another Python than python3.13, and so are 2 more: "
            "make the package anew, or let the settings' runtime be the package's"
        ]

    def test_name_a_module_without_byte_code(self, tmp_path: Path) -> None:
        changes = {"billing_site/lambda_function/__pycache__/entry.cpython-313.pyc": None}
        assert faults_of(a_zip(tmp_path, changes)) == ["billing_site/lambda_function/entry.py has no byte code"]

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ("DEBUG=True", "must have DEBUG=False"),
            ("LOG_LEVEL='DEBUG'", "must have LOG_LEVEL='INFO'"),
            ("BINARY_SUPPORT=False", "must have BINARY_SUPPORT=True"),
            ("AWS_EVENT_MAPPING={'arn:aws:sqs:::x': ['os.getcwd']}", "must have AWS_EVENT_MAPPING={}"),
            ("ENVIRONMENT_VARIABLES={'X': 'y'}", "holds variables in plain text"),
            ("WEBSOCKET_HANDLER_MODULE='zappa.handler'", "names a handler of websockets"),
        ],
    )
    def test_name_what_zappa_should_not_have_written(self, tmp_path: Path, line: str, says: str) -> None:
        (fault,) = faults_of(a_zip(tmp_path, {"zappa_settings.py": GOOD_SETTINGS + line}))
        assert says in fault

    def test_name_a_library_that_the_gateway_needs(self, tmp_path: Path) -> None:
        variables = {"PAYMENT_GATEWAY": "payments.gateways.stripe.gateway.StripeGateway"}
        faults = ["PAYMENT_GATEWAY needs stripe: make package EXTRAS=stripe"]
        assert faults_of(a_zip(tmp_path), variables=variables) == faults
        assert faults_of(a_zip(tmp_path, {"stripe/__init__.py": ""}), variables=variables) == []

    def test_name_what_an_extra_lacks(self, tmp_path: Path) -> None:
        whole = {f"{name}/__init__.py": "" for name in contents.EXTRAS["pdf"]}
        assert faults_of(a_zip(tmp_path, whole)) == []
        assert faults_of(a_zip(tmp_path, whole | {"uharfbuzz/__init__.py": None})) == [
            "uharfbuzz is missing, which pdf needs: make package EXTRAS=pdf"
        ]


class TestAuthorities:
    VERIFYING = {"DATABASE_SSLROOTCERT": "/var/task/certificates/rds.pem"}

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> bytes:
        return a_certificate(folder=tmp_path / "own").file.read_bytes()

    def test_may_be_in_a_package_and_must_where_the_database_is_verified(self, tmp_path: Path, bundle: bytes) -> None:
        for variables in ({}, self.VERIFYING):
            assert faults_of(a_zip(tmp_path, {BUNDLE: bundle}), variables=variables) == []
        assert faults_of(a_zip(tmp_path)) == []
        assert faults_of(a_zip(tmp_path), variables=self.VERIFYING) == [
            "DATABASE_SSLROOTCERT needs certificates/rds.pem: download it (docs/deploy.md) and make the package anew"
        ]

    @pytest.mark.parametrize("variables", [{}, VERIFYING])
    def test_that_are_none_are_named(self, tmp_path: Path, variables: dict[str, str]) -> None:
        """Also where nothing is verified yet: it was meant to be."""
        assert faults_of(a_zip(tmp_path, {BUNDLE: "<html></html>"}), variables=variables) == [
            "certificates/rds.pem isn't a bundle of certificates in PEM: download it anew (docs/deploy.md)"
        ]

    def test_that_are_looked_for_elsewhere_are_named(self, tmp_path: Path, bundle: bytes) -> None:
        variables = {"DATABASE_SSLROOTCERT": BUNDLE}
        assert faults_of(a_zip(tmp_path, {BUNDLE: bundle}), variables=variables) == [
            f"DATABASE_SSLROOTCERT is {BUNDLE}: the package has RDS's bundle at /var/task/certificates/rds.pem"
        ]

    def test_are_alone_in_their_folder(self, tmp_path: Path, bundle: bytes) -> None:
        changes = {BUNDLE: bundle, "certificates/": b"", "certificates/server.key": b""}
        assert faults_of(a_zip(tmp_path, changes)) == ["certificates/server.key doesn't belong in the package"]


class TestLibraries:
    def test_that_lambda_can_load_are_not_named(self, tmp_path: Path) -> None:
        import psycopg2._psycopg

        here = Path(psycopg2._psycopg.__file__).read_bytes()
        changes = {"a/any.so": here, "a/own.cpython-313-x86_64-linux-gnu.so": here, "a/every.abi3.so": here}
        assert faults_of(a_zip(tmp_path, changes)) == []

    def test_for_another_machine_are_named(self, tmp_path: Path) -> None:
        arm, mips = library(machine=183), library(machine=8)
        assert faults_of(a_zip(tmp_path, {"a/one.so": arm, "a/two.so": mips})) == [
            "a/one.so is for arm64, not for x86_64",
            "a/two.so is for machine 8, not for x86_64",
        ]
        on_arm = target_of({"runtime": "python3.13", "architecture": "arm64"})
        assert contents.faults_of(a_zip(tmp_path, {"a/one.so": arm}), target=on_arm) == []
        assert contents.faults_of(a_zip(tmp_path, {"a/one.so": library(machine=62)}), target=on_arm) == [
            "a/one.so is for x86_64, not for arm64"
        ]

    def test_for_another_python_are_named(self, tmp_path: Path) -> None:
        name = "psycopg2/_psycopg.cpython-311-x86_64-linux-gnu.so"
        assert faults_of(a_zip(tmp_path, {name: library(machine=62)})) == [
            f"{name} is for another Python than python3.13"
        ]


class TestReport:
    def test_tells_what_weighs_most(self, tmp_path: Path) -> None:
        changes = {"large/x": bytes(2 * 1024 * 1024), "small/x": bytes(1024)}
        lines = report_of(a_zip(tmp_path, changes), max_folders=1).splitlines()
        assert lines[1].endswith("2.0 MB of 50")
        assert lines[2].endswith("2.0 MB of 250")
        assert lines[-1].split() == ["large", "2.0", "2.0"]


class TestWrittenOnceMore:
    def test_the_same_files_are_the_same_bytes(self, tmp_path: Path) -> None:
        written = []
        for number, names in enumerate((["a", "b"], ["b", "a"])):
            path = tmp_path / f"{number}.zip"
            with zipfile.ZipFile(path, "w") as package:
                for name in names:
                    package.writestr(zipfile.ZipInfo(name, (2020 + number, 1, 1, 0, 0, 0)), name)
                package.writestr("package_info.json", str(number))
                package.writestr("__pycache__/__init__.py", "")
            write_reproducibly(path)
            written.append(path.read_bytes())
            with zipfile.ZipFile(path) as package:
                assert package.namelist() == ["a", "b"]
                assert package.read("b") == b"b"
                assert package.getinfo("a").external_attr >> 16 == 0o644
        assert written[0] == written[1]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0.zip", "1.zip"]
