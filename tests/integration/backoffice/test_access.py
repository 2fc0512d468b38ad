import pytest
from django.test import Client

from backoffice.models import User
from tests.databases import rolled_back
from tests.integration.backoffice.conftest import LISTS, Billed

pytestmark = rolled_back


class TestWhoSeesThem:
    @pytest.mark.parametrize("path", LISTS)
    def test_nobody_without_permission(self, newcomer: Client, path: str) -> None:
        assert newcomer.get(f"/admin/{path}/").status_code == 403

    def test_a_page_is_not_shown_without_permission(self, newcomer: Client, billed_account: Billed) -> None:
        path = f"/admin/accounts/account/{billed_account.account.id}/"
        assert newcomer.get(f"{path}change/").status_code == 403
        assert newcomer.get(f"{path}history/").status_code == 403

    @pytest.mark.parametrize("path", LISTS)
    def test_nobody_who_has_not_logged_in(self, path: str) -> None:
        response = Client().get(f"/admin/{path}/")
        assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next=/admin/{path}/")

    def test_staff_log_in_over_plain_http_on_a_machine_of_ones_own(self, support: Client) -> None:
        sam = User.objects.get(username="sam")
        sam.set_password("a long pass phrase")
        sam.save()
        client = Client(enforce_csrf_checks=True)
        token = client.get("/admin/login/").cookies["csrftoken"].value
        response = client.post(
            "/admin/login/?next=/admin/",
            {"username": "sam", "password": "a long pass phrase", "csrfmiddlewaretoken": token},
        )
        assert (response.status_code, response["Location"]) == (302, "/admin/")
        assert client.get("/admin/").status_code == 200

    def test_a_cookie_that_can_name_no_session_is_like_none(self, db: None) -> None:
        cookie = f'sessionid="{"a" * 31}\\000"'
        response = Client().get("/admin/", headers={"cookie": cookie})
        assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/admin/")
        assert Client().get("/admin/login/", headers={"cookie": cookie}).status_code == 200
