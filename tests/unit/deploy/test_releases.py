"""Which kept package is rolled back to; what a plan is refused for; and what goes on only with an answer."""

import io
from dataclasses import dataclass
from typing import Any

import pytest

from deploy.errors import UnableToShip
from deploy.infrastructure import Plan
from deploy.releases import Release, Releases
from deploy.steps import ask


@dataclass(frozen=True, kw_only=True)
class Kept(Releases):
    """So many, the oldest first, by their code."""

    codes: str
    s3: Any = None
    bucket: str = ""

    def all(self) -> list[Release]:
        return [Release(name=f"{n}", code=code, commit="") for n, code in enumerate(self.codes)]


class TestBefore:
    @pytest.mark.parametrize(
        ("codes", "deployed", "name"),
        [
            ("ab", "b", "0"),
            ("abc", "c", "1"),
            # Rolled back once: then further back.
            ("abc", "b", "0"),
            # The same again in between.
            ("abab", "b", "2"),
            ("abb", "b", "0"),
            # Deployed by hand, and not kept.
            ("ab", "z", "1"),
        ],
    )
    def test_is_the_nearest_with_other_code(self, codes: str, deployed: str, name: str) -> None:
        assert Kept(codes=codes).before(deployed).name == name

    @pytest.mark.parametrize(("codes", "deployed"), [("", "a"), ("a", "a"), ("ab", "a")])
    def test_is_refused_where_there_is_none(self, codes: str, deployed: str) -> None:
        with pytest.raises(UnableToShip, match=r"^no release before this one is kept$"):
            Kept(codes=codes).before(deployed)

    def test_takes_one_by_name(self) -> None:
        assert Kept(codes="abc").before("c", named="0").code == "a"
        with pytest.raises(UnableToShip, match=r"^no release 7 is kept: 0, 1, 2$"):
            Kept(codes="abc").before("c", named="7")


class TestPlan:
    def test_names_what_it_changes_and_counts_what_it_makes(self) -> None:
        plan = Plan(
            file="a.tfplan",
            changes=[("create", "aws_vpc.main"), ("update", "aws_db_instance.main"), ("delete", "aws_subnet.a")],
            cost=None,
        )
        assert plan.summary().splitlines() == [
            "Terraform's plan: create 1, update 1, replace 0, delete 1",
            "  update aws_db_instance.main",
            "  delete aws_subnet.a",
        ]
        assert plan.takes_data_away == []

    @pytest.mark.parametrize("done", ["delete", "replace"])
    def test_knows_what_holds_data(self, done: str) -> None:
        held = ["aws_db_instance.main", "aws_secretsmanager_secret.django", "aws_sqs_queue.rebilling"]
        plan = Plan(file="a", changes=[(done, address) for address in [*held, "aws_vpc.main"]], cost=1.0)
        assert plan.takes_data_away == held


class TestAsk:
    def test_goes_on_with_the_answer_alone(self) -> None:
        ask("Really?", answer="billing-production", given="billing-production")
        with pytest.raises(UnableToShip, match=r"^nothing was done: yes isn't billing-production$"):
            ask("Really?", answer="billing-production", given="yes")

    def test_is_asked_of_nobody_without_a_terminal(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
        with pytest.raises(UnableToShip, match=r"There is no terminal to ask at: say so on the command line$"):
            ask("Really?", answer="yes", given=None)
