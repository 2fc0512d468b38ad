"""What a file must hold for the database to be verified by it."""

from pathlib import Path

import pytest

from billing_site.database.authorities import fault_of
from tests.support.lambdas.tls import Certificate, a_certificate

NO_BUNDLE = "isn't a bundle of certificates in PEM"


@pytest.fixture
def made(tmp_path: Path) -> list[Certificate]:
    return [a_certificate(folder=tmp_path / name) for name in ("one", "other")]


class TestFaultOf:
    def test_is_none_of_one_certificate_or_more(self, made: list[Certificate]) -> None:
        one, other = (certificate.file.read_bytes() for certificate in made)
        assert fault_of(one) == ""
        assert fault_of(one + "# für alle Regionen\r\n".encode() + other) == ""
        assert fault_of((one + one + other).replace(b"\n", b"\r\n")) == ""

    @pytest.mark.parametrize("content", [b"", b"<html></html>", b"rds.pem", bytes(range(256))])
    def test_is_found_in_anything_else(self, content: bytes) -> None:
        assert fault_of(content) == NO_BUNDLE

    def test_is_found_in_a_file_that_was_cut_off_or_damaged(self, made: list[Certificate]) -> None:
        one, other = (certificate.file.read_bytes() for certificate in made)
        assert fault_of(one + other[: len(other) // 2]) == NO_BUNDLE
        lines = other.splitlines(keepends=True)
        assert fault_of(one + b"".join([*lines[:2], b"A" * 64 + b"\n", *lines[3:]])) == NO_BUNDLE

    def test_is_found_in_a_servers_own_certificate(self, tmp_path: Path) -> None:
        assert fault_of(a_certificate(folder=tmp_path / "server", authority=False).file.read_bytes()) == (
            "holds no certificate of an authority"
        )

    def test_is_found_in_a_file_with_a_key(self, made: list[Certificate]) -> None:
        """What is in a package is in a bucket, and in each function."""
        assert fault_of(made[0].file.read_bytes() + made[0].key.read_bytes()) == "holds a private key"
        assert fault_of(made[0].key.read_bytes()) == NO_BUNDLE
