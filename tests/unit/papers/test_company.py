from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Warning
from django.test import override_settings

from billing_site.checks import papers_can_name_the_company
from papers.company import MAX_LOGO_BYTES, company, logo_fault

PNG = b"\x89PNG\r\n\x1a\n"


def found(**values: Any) -> list[tuple[str, str]]:
    with override_settings(**{"SELLER_NAME": "Example Ltd", "COMPANY_LOGO": "", **values}):
        messages = papers_can_name_the_company()
        assert all(isinstance(message, Warning) for message in messages)
        return [(str(message.id), message.msg) for message in messages]


class TestCompany:
    def test_has_lines_for_what_is_set(self) -> None:
        with override_settings(
            COMPANY_ADDRESS=["1 Main Street", "Berlin"], COMPANY_TAX_NUMBER="DE1", COMPANY_FOOTER="x"
        ):
            made = company(name="Example Ltd")
        assert made.lines == ("Example Ltd", "1 Main Street", "Berlin", "Tax number DE1")
        assert (made.footer, made.logo, company(name="").lines) == ("x", b"", ())

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (PNG, ""),
            (b"\xff\xd8\xff\xe0", ""),
            (b"<svg>", "is neither a PNG nor a JPEG"),
            (PNG + bytes(MAX_LOGO_BYTES), "is larger than 200 KB"),
            (None, "can't be read (No such file or directory)"),
        ],
    )
    def test_has_a_logo_that_is_fit(self, tmp_path: Path, content: bytes | None, fault: str) -> None:
        file = tmp_path / "logo"
        if content is not None:
            file.write_bytes(content)
        with override_settings(COMPANY_LOGO=str(file)):
            assert logo_fault() == fault
            assert company(name="x").logo == (b"" if fault else content)
        warnings = found(COMPANY_LOGO=str(file))
        assert [name for name, _ in warnings] == (["billing_site.W003"] if fault else [])

    def test_without_a_name_is_a_warning_that_says_how_to_fix_it(self) -> None:
        assert found() == []
        ((name, says),) = found(SELLER_NAME="")
        assert (name, "set it to the company's name" in says) == ("billing_site.W002", True)
