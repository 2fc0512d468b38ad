import pytest
from django.test import Client

from backoffice.models import User
from tests.functional.backoffice.conftest import LISTS, Billed
from tests.support.databases import rolled_back

pytestmark = rolled_back


class TestAccess:
    @pytest.mark.parametrize("path", LISTS)
    def test_lists_are_hidden_without_permission(self, newcomer: Client, path: str) -> None:
        assert newcomer.get(f"/admin/{path}/").status_code == 403

    def test_a_page_is_not_shown_without_permission(self, newcomer: Client, billed_account: Billed) -> None:
        path = f"/admin/accounts/account/{billed_account.account.id}/"
        assert newcomer.get(f"{path}change/").status_code == 403
        assert newcomer.get(f"{path}history/").status_code == 403

    @pytest.mark.parametrize("path", LISTS)
    def test_lists_are_hidden_without_login(self, path: str) -> None:
        response = Client().get(f"/admin/{path}/")
        assert (response.status_code, response["Location"]) == (302, f"/admin/login/?next=/admin/{path}/")

    def test_staff_log_in_over_plain_http_on_a_local_machine(self, support: Client) -> None:
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

    def test_a_cookie_that_cannot_name_a_session_is_ignored(self, db: None) -> None:
        cookie = f'sessionid="{"a" * 31}\\000"'
        response = Client().get("/admin/", headers={"cookie": cookie})
        assert (response.status_code, response["Location"]) == (302, "/admin/login/?next=/admin/")
        assert Client().get("/admin/login/", headers={"cookie": cookie}).status_code == 200
