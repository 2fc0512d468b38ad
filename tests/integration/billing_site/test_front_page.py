"""What the address of an installation itself answers."""

import pytest
from django.test import Client
from django.test.utils import override_script_prefix

from tests.support.databases import rolled_back

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PLACES = {"admin": "/admin/", "docs": "/v1/docs", "openapi": "/v1/openapi.json", "health": "/healthz"}


class TestFront:
    def test_leads_a_browser_to_the_admin(self) -> None:
        response = Client().get("/", headers={"accept": BROWSER})
        assert (response.status_code, response["Location"], response["Vary"]) == (302, "/admin/", "Accept")

    @pytest.mark.parametrize("accept", ["*/*", "application/json", "text/plain", ""])
    def test_tells_any_other_client_where_things_are(self, accept: str) -> None:
        response = Client().get("/", headers={"accept": accept} if accept else {})
        assert (response.status_code, response["Content-Type"]) == (200, "application/json")
        assert response.json() == PLACES
        assert response["Vary"] == "Accept"

    def test_below_a_stage_names_the_stage(self) -> None:
        """As at the API's own address, without a host name."""
        client = Client(SCRIPT_NAME="/production")
        with override_script_prefix("/production"):
            assert client.get("/").json() == {name: f"/production{place}" for name, place in PLACES.items()}
            assert client.get("/", headers={"accept": BROWSER})["Location"] == "/production/admin/"

    @rolled_back
    def test_names_what_is_there(self) -> None:
        for place in Client().get("/").json().values():
            assert Client().get(place).status_code in (200, 302)

    def test_takes_nothing(self) -> None:
        assert Client().post("/", {"x": "y"}).status_code == 405
        assert Client().head("/").status_code == 200
