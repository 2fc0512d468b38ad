from django.contrib.auth.models import Group, Permission
from django.test import Client

from backoffice.models import User
from tests.support.databases import rolled_back

pytestmark = rolled_back

VIEWED = {
    "view_plan",
    "view_taxrate",
    "view_account",
    "view_terms",
    "view_accountchange",
    "view_invoice",
    "view_invoiceline",
    "view_creditnote",
    "view_entry",
    "view_payment",
    "view_refund",
    "view_run",
    "view_rebilling",
    "view_apikey",
}
ACTIONS = {codename for codename, _ in User._meta.permissions}


def permissions_of(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


class TestGroups:
    def test_support_views_everything_and_does_nothing(self) -> None:
        assert permissions_of("Support") == VIEWED

    def test_billing_operators_view_everything_and_may_act(self) -> None:
        assert len(ACTIONS) == 22
        assert permissions_of("Billing operators") == VIEWED | ACTIONS

    def test_each_permission_is_there_once(self) -> None:
        for codename in VIEWED | ACTIONS:
            assert Permission.objects.filter(codename=codename).count() == 1

    def test_each_permission_says_what_it_allows_as_the_code_has_it(self) -> None:
        names = Permission.objects.filter(codename__in=ACTIONS).values_list("codename", "name")
        assert dict(names) == dict(User._meta.permissions)


class TestStaff:
    def test_a_superuser_adds_people_and_gives_them_a_group(self, superuser: Client) -> None:
        response = superuser.post(
            "/admin/backoffice/user/add/",
            {
                "username": "kim",
                "usable_password": "true",
                "password1": "correct horse battery",
                "password2": "correct horse battery",
            },
        )
        kim = User.objects.get(username="kim")
        assert response["Location"] == f"/admin/backoffice/user/{kim.pk}/change/"
        group = Group.objects.get(name="Support")
        superuser.post(
            f"/admin/backoffice/user/{kim.pk}/change/",
            {
                "is_active": "on",
                "is_staff": "on",
                "groups": [str(group.pk)],
                "date_joined_0": "2026-01-01",
                "date_joined_1": "06:00:00",
            },
        )
        kim.refresh_from_db()
        assert (kim.is_staff, list(kim.groups.all())) == (True, [group])

    def test_a_username_cannot_be_changed(self, superuser: Client, support: Client) -> None:
        sam = User.objects.get(username="sam")
        superuser.post(
            f"/admin/backoffice/user/{sam.pk}/change/",
            {"username": "mallory", "is_active": "on", "date_joined_0": "2026-01-01", "date_joined_1": "06:00:00"},
        )
        sam.refresh_from_db()
        assert (sam.username, sam.is_staff) == ("sam", False)
        assert superuser.post(f"/admin/backoffice/user/{sam.pk}/delete/", {"post": "yes"}).status_code == 403
        assert User.objects.filter(username="sam").exists()

    def test_nobody_else_changes_people_or_groups_whatever_their_permissions(self, operator: Client) -> None:
        olga = User.objects.get(username="olga")
        olga.user_permissions.add(*Permission.objects.filter(content_type__app_label__in=["backoffice", "auth"]))
        assert olga.has_perm("backoffice.change_user")

        for path in ("backoffice/user/", f"backoffice/user/{olga.pk}/change/", "backoffice/user/add/", "auth/group/"):
            assert operator.get(f"/admin/{path}").status_code == 403
        assert operator.post(f"/admin/backoffice/user/{olga.pk}/change/", {"is_superuser": "on"}).status_code == 403
        olga.refresh_from_db()
        assert not olga.is_superuser
