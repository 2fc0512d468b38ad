"""Bisecting a batch: all that the database takes is written, whatever it refuses."""

from collections.abc import Sequence

import pytest
from django.db import DataError, connection

from accounts.bisection import FailedItem, bisect_batch, describe
from accounts.models import Plan
from tests.builders import a_plan
from tests.support.databases import rolled_back

pytestmark = rolled_back


class Work:
    """Writes a plan for each code; a code that is written already, or is longer than a code can be, is refused."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def __call__(self, codes: Sequence[str]) -> list[str]:
        self.batches.append(list(codes))
        template = Plan.objects.get(code="template")
        rows = [Plan(**{**values_of(template), "code": code}) for code in codes]
        Plan.objects.bulk_create(rows)
        return list(codes)


def values_of(plan: Plan) -> dict[str, object]:
    return {field.attname: getattr(plan, field.attname) for field in Plan._meta.fields if field.name != "id"}


@pytest.fixture
def work() -> Work:
    a_plan(code="template")
    return Work()


class TestBisectBatch:
    def test_works_on_all_items_at_once_where_none_is_bad(self, work: Work) -> None:
        assert list(bisect_batch(items=["a", "b", "c"], work=work)) == [["a", "b", "c"]]
        assert work.batches == [["a", "b", "c"]]

    def test_finds_each_bad_item_and_writes_the_others_in_order(self, work: Work) -> None:
        parts = list(bisect_batch(items=["a", "template", "b", "c", "x" * 500, "d"], work=work))
        done = [part for part in parts if not isinstance(part, FailedItem)]
        failed = [part for part in parts if isinstance(part, FailedItem)]
        assert [code for part in done for code in part] == ["a", "b", "c", "d"]
        assert [(part.item, type(part.error).__name__) for part in failed] == [
            ("template", "IntegrityError"),
            ("x" * 500, "DataError"),
        ]
        assert set(Plan.objects.values_list("code", flat=True)) == {"template", "a", "b", "c", "d"}

    def test_yields_a_part_only_once_its_transaction_is_over(self, work: Work) -> None:
        depths = [len(connection.savepoint_ids) for _ in bisect_batch(items=["a", "template"], work=work)]
        assert depths == [len(connection.savepoint_ids)] * 2

    def test_raises_what_is_no_rows_fault_at_once(self) -> None:
        worked: list[Sequence[int]] = []

        def fail(items: Sequence[int]) -> None:
            worked.append(items)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            list(bisect_batch(items=[1, 2, 3], work=fail))
        assert worked == [[1, 2, 3]]


class TestDescribe:
    def test_names_the_constraint(self, work: Work) -> None:
        (part,) = bisect_batch(items=["template"], work=work)
        assert isinstance(part, FailedItem)
        assert describe(part.error).startswith("IntegrityError: ")
        assert "template" not in describe(part.error)

    def test_is_one_line_of_any_other_error(self) -> None:
        assert describe(DataError("bad\nrow")) == "DataError: bad"
