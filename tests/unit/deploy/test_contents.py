"""What a package is refused for: each fault in a small zip of its own."""

import importlib.metadata
import importlib.util
import io
import marshal
import py_compile
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from billing_site.authorities import BUNDLE
from deploy import contents
from deploy.contents import faults_of, glibc_needs, modules_of_the_checkout, report_of
from deploy.zip_file import write_reproducibly
from tests.lambdas.tls import a_certificate

GOOD_SETTINGS = """
DEBUG=False
LOG_LEVEL='INFO'
BINARY_SUPPORT=True
ENVIRONMENT_VARIABLES={'AWS_REGION': 'us-east-1'}
AWS_EVENT_MAPPING={}
"""


def byte_code(*, flags: int) -> bytes:
    code = marshal.dumps(compile("", "x", "exec"))
    return importlib.util.MAGIC_NUMBER + flags.to_bytes(4, "little") + bytes(8) + code


def a_zip(folder: Path, changes: Mapping[str, bytes | str | None] | None = None) -> Path:
    """A package that is fit but for the changes; None leaves a file out."""
    files: dict[str, bytes | str | None] = dict.fromkeys(contents.NEEDED, "")
    files |= {
        "zappa_settings.py": GOOD_SETTINGS,
        "billing_site/__pycache__/lambda_entry.cpython-311.pyc": byte_code(flags=1),
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
            "benchmarks/packs.py",
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
        modules = ["billing_site/lambda_entry.py", "rebilling/added.py"]
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
        monkeypatch.setattr(contents, "MOST_UNZIPPED_BYTES", 3 * 1024 * 1024)
        assert faults_of(path) == ["3.0 MB unzipped: Lambda takes 3"]
        monkeypatch.setattr(contents, "MOST_UNZIPPED_BYTES", 4 * 1024 * 1024)
        monkeypatch.setattr(contents, "MOST_ZIPPED_BYTES", 1024)
        assert len(faults_of(path)) == 1

    def test_go_by_the_limits_of_lambda(self) -> None:
        assert (contents.MOST_ZIPPED_BYTES, contents.MOST_UNZIPPED_BYTES) == (52_428_800, 262_144_000)

    @pytest.mark.parametrize(("flags", "fit"), [(0, False), (1, True), (3, False)])
    def test_name_byte_code_that_lambda_would_throw_away(self, tmp_path: Path, flags: int, fit: bool) -> None:
        found = faults_of(a_zip(tmp_path, {"x/__pycache__/y.cpython-311.pyc": byte_code(flags=flags)}))
        assert (found == []) is fit

    def test_know_byte_code_as_python_writes_it(self, tmp_path: Path) -> None:
        source = tmp_path / "y.py"
        source.write_text("")
        for mode, fit in (
            (py_compile.PycInvalidationMode.UNCHECKED_HASH, True),
            (py_compile.PycInvalidationMode.TIMESTAMP, False),
        ):
            compiled = Path(str(py_compile.compile(str(source), invalidation_mode=mode))).read_bytes()
            assert (faults_of(a_zip(tmp_path, {"x/__pycache__/y.cpython-311.pyc": compiled})) == []) is fit

    def test_name_a_module_without_byte_code(self, tmp_path: Path) -> None:
        changes = {"billing_site/__pycache__/lambda_entry.cpython-311.pyc": None}
        assert faults_of(a_zip(tmp_path, changes)) == ["billing_site/lambda_entry.py has no byte code"]

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ("DEBUG=True", "must have DEBUG=False"),
            ("LOG_LEVEL='DEBUG'", "must have LOG_LEVEL='INFO'"),
            ("BINARY_SUPPORT=False", "must have BINARY_SUPPORT=True"),
            ("AWS_EVENT_MAPPING={'arn:aws:sqs:::x': ['os.getcwd']}", "must have AWS_EVENT_MAPPING={}"),
            ("ENVIRONMENT_VARIABLES={'X': 'y'}", "holds variables in plain text"),
            ("WEBSOCKET_HANDLER_MODULE='zappa.handler'", "names a handler of websockets"),
        ],
    )
    def test_name_what_zappa_should_not_have_written(self, tmp_path: Path, line: str, told: str) -> None:
        (fault,) = faults_of(a_zip(tmp_path, {"zappa_settings.py": GOOD_SETTINGS + line}))
        assert told in fault

    def test_name_a_library_that_the_gateway_needs(self, tmp_path: Path) -> None:
        variables = {"PAYMENT_GATEWAY": "payments.gateways.stripe_gateway.StripeGateway"}
        told = ["PAYMENT_GATEWAY needs stripe: make package EXTRAS=stripe"]
        assert faults_of(a_zip(tmp_path), variables=variables) == told
        assert faults_of(a_zip(tmp_path, {"stripe/__init__.py": ""}), variables=variables) == []


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
    def test_that_need_a_newer_glibc_are_named(self, tmp_path: Path) -> None:
        """`cryptography` is built for a newer one than Lambda's python3.11 has."""
        files = importlib.metadata.files("cryptography") or []
        (library,) = [Path(str(file.locate())) for file in files if file.name.startswith("_rust")]
        (fault,) = faults_of(a_zip(tmp_path, {"cryptography/_rust.abi3.so": library.read_bytes()}))
        assert fault.startswith("cryptography/_rust.abi3.so needs glibc 2.")
        assert fault.endswith("Lambda's python3.11 has 2.26")

    def test_that_lambda_can_load_are_not(self, tmp_path: Path) -> None:
        import psycopg2._psycopg

        content = Path(psycopg2._psycopg.__file__).read_bytes()
        assert max(glibc_needs(ELFFile(io.BytesIO(content)))) <= (2, 26)
        assert faults_of(a_zip(tmp_path, {"psycopg2/_psycopg.so": content})) == []

    def test_for_another_machine_are_named(self, tmp_path: Path) -> None:
        import psycopg2._psycopg

        content = bytearray(Path(psycopg2._psycopg.__file__).read_bytes())
        content[18:20] = (183).to_bytes(2, "little")  # e_machine: EM_AARCH64
        (fault,) = faults_of(a_zip(tmp_path, {"psycopg2/_psycopg.so": bytes(content)}))
        assert fault == "psycopg2/_psycopg.so is for EM_AARCH64, not for x86_64"


class TestReport:
    def test_tells_what_weighs_most(self, tmp_path: Path) -> None:
        changes = {"large/x": bytes(2 * 1024 * 1024), "small/x": bytes(1024)}
        lines = report_of(a_zip(tmp_path, changes), most=1).splitlines()
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
            write_reproducibly(path)
            written.append(path.read_bytes())
            with zipfile.ZipFile(path) as package:
                assert package.namelist() == ["a", "b"]
                assert package.read("b") == b"b"
                assert package.getinfo("a").external_attr >> 16 == 0o644
        assert written[0] == written[1]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["0.zip", "1.zip"]


def test_the_tests_run_on_the_python_that_is_shipped() -> None:
    assert sys.version_info[:2] == (3, 11)
