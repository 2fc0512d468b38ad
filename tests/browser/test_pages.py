"""The pages that people use, in a real browser, on the platform as `runlocal` serves it."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect, sync_playwright

from localcloud.postgres import server as postgres
from tests.support.processes import ROOT, bare_environment

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PASSWORD = "a password for this test"

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="NO BROWSER: the pages were not looked at; install Chromium (apt-get install chromium)"
)


@dataclass(frozen=True)
class Served:
    base: str
    data: Path

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run another command beside the platform, on its database and queue."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=bare_environment(BILLING_DATA=str(self.data), **environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("platform")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "runlocal", "--port", "0", "--data", str(data)],
        cwd=ROOT,
        env=bare_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        announced = ""
        while "Ctrl-C" not in announced:
            line = process.stdout.readline()
            assert line, f"ended instead of serving: {announced}"
            announced += line
        base = re.search(r"(http://127\.0\.0\.1:\d+)/v1/", announced)
        assert base
        served = Served(base=base[1], data=data)
        served.manage(
            "createsuperuser", "--noinput", "--username", "anna", "--email", "anna@example.com",
            DJANGO_SUPERUSER_PASSWORD=PASSWORD,
        )  # fmt: skip
        served.manage("shell", "-c", _MAKE_A_PLAN)
        yield served
    finally:
        process.terminate()
        process.communicate(timeout=60)
        postgres.stop(cluster=(data / "postgres").resolve())


@pytest.fixture
def page(served: Served) -> Iterator[Page]:
    """A page that records every address it asks for, and every complaint of the browser."""
    with sync_playwright() as playwright:
        # A sandbox needs rights that root in a container doesn't have; the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        page = browser.new_page(base_url=served.base)
        asked: list[str] = []
        complaints: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if _complains(message) else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        browser.close()
    outside = [url for url in asked if not url.startswith((served.base, "data:"))]
    assert asked
    assert outside == []
    assert complaints == []


def _complains(message: ConsoleMessage) -> bool:
    # Browsers ask every site for an icon of their own accord.
    return message.type == "error" and not message.location["url"].endswith("/favicon.ico")


class TestDocsPage:
    def test_shows_every_call_and_asks_nobody_else(self, page: Page) -> None:
        page.goto("/v1/docs")
        page.get_by_text("/v1/accounts/{account_id}/credits").first.wait_for()
        paths = set(page.locator(".opblock-summary-path").all_inner_texts())
        # Zero-width spaces let long paths wrap.
        assert "/v1/ledger/{entry_id}/reversals" in {path.replace("\u200b", "") for path in paths}
        assert len(page.locator(".opblock").all()) >= 20


class TestAdmin:
    def test_lets_a_member_of_the_staff_follow_an_account_from_its_invoice_to_a_credit_note(
        self, page: Page, served: Served, tmp_path: Path
    ) -> None:
        self._bill_one_account(served, tmp_path)
        self._log_in(page)
        page.get_by_role("link", name="Accounts", exact=True).last.click()
        page.get_by_role("link", name="Ada Lovelace").first.click()
        page.get_by_text("29.85 USD").first.wait_for()
        shown = self._shown(page)
        assert "ACTIVE" in shown
        assert "0.00 USD" in shown

        page.get_by_role("link", name=re.compile("-0001$")).first.click()
        page.get_by_role("heading", name="What happened").wait_for()
        assert re.search(r"Issued on \d+ \w+ \d{4} for 29\.85 USD, to be collected at once\.", self._shown(page))
        page.get_by_role("link", name="Issue a credit note").click()
        page.get_by_label("An amount, spread over the lines").check()
        page.fill("#id_amount", "9,85")
        page.fill("#id_reason", "an outage")
        page.get_by_role("button", name="Issue a credit note").click()
        page.get_by_text("The credit note was issued.").wait_for()
        assert "9.85 USD to the account's credit balance: an outage." in self._shown(page)

    @pytest.mark.parametrize("width", [1366, 390])
    def test_opens_an_account_after_a_look_at_what_it_comes_to(self, page: Page, width: int) -> None:
        page.set_viewport_size({"width": width, "height": 844})
        self._log_in(page)
        page.goto("/admin/accounts/account/")
        page.get_by_role("link", name="Open an account").click()
        page.get_by_label("Name").fill(f"Grace Hopper {width}")
        page.get_by_label("E-mail").fill("grace@example.com")
        page.get_by_label("Plan").select_option("basic")
        page.get_by_label("Unit price").fill("9,00")
        page.get_by_role("button", name="Preview").click()
        # Below a long form, and scrolled to.
        expect(page.get_by_role("heading", name="What it comes to")).to_be_in_viewport()
        assert "An invoice over 9.00 USD is issued now." in self._shown(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.get_by_role("button", name="Open an account").click()
        page.get_by_text(
            re.compile(r"The account was opened, and invoice \w+-0001 over 9\.00 USD was issued\.")
        ).wait_for()
        assert f"Grace Hopper {width}" in self._shown(page)

    @pytest.mark.parametrize("width", [1366, 390])
    def test_begins_with_what_waits_and_leads_to_the_last_run(self, page: Page, served: Served, width: int) -> None:
        served.manage("sweep", "--as-of", "2026-01-01")
        page.set_viewport_size({"width": width, "height": 844})
        self._log_in(page)
        assert "Nothing waits for a person." in self._shown(page)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.get_by_role("link", name=re.compile(r"^run of \d{4}-\d\d-\d\d at \d\d:\d\d$")).first.click()
        page.get_by_role("heading", name=re.compile("^Reconciliation: ")).wait_for()

    def _log_in(self, page: Page) -> None:
        page.goto("/admin/")
        page.fill("#id_username", "anna")
        page.fill("#id_password", PASSWORD)
        page.click("input[type=submit]")

    def _shown(self, page: Page) -> str:
        return page.locator("#content").inner_text()

    def _bill_one_account(self, served: Served, tmp_path: Path) -> None:
        file = tmp_path / "accounts.csv"
        file.write_text(
            "external_reference,name,email,plan,anchor_date,rebilling_date\n"
            "ada,Ada Lovelace,ada@example.com,basic,2026-01-01,2026-01-01\n"
        )
        served.manage("import_accounts", str(file), "--as-of", "2026-01-01")
        served.manage("sweep", "--as-of", "2026-01-01")
        served.manage("process_queue", "--until-empty")


_MAKE_A_PLAN = """
from django.utils import timezone
from accounts.plans import create_plan
create_plan(code="basic", name="Basic", currency="USD", unit_amount_minor=2985, interval_count=1, interval_unit="month",
    now=timezone.now())
"""
