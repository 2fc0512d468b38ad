"""The customers of a telephone company, as a file of `import_accounts` and the charges it asks for.

The sample in `tests/data/` is the project's own: 300 rows, made for it. The whole file of 7,043 real-shaped customers
lies beside the project, not in it (`../shared/data/README.md` says what its columns are), and is tested where it is
there. What each must come to is in `tests/data/telco-totals.json`, counted once from tenure and contract alone.
"""

import csv
import datetime
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from dateutil.relativedelta import relativedelta

from accounts.plans import create_plan
from subscriptions.imports.columns import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"


@dataclass(frozen=True, slots=True)
class CustomerFile:
    """A file of customers."""

    path: Path

    def __str__(self) -> str:
        return self.path.stem

    @property
    def totals(self) -> dict[str, Any]:
        """How many customers, how many of them billable, and what is charged in each month from the import's on."""
        totals: dict[str, Any] = json.loads((DATA / "telco-totals.json").read_text(encoding="utf-8"))[self.path.name]
        return totals


SAMPLE = CustomerFile(DATA / "telco-sample.csv")
WHOLE = CustomerFile(ROOT.parent / "shared" / "data" / "telco-customers.csv")
FILES = [file for file in (SAMPLE, WHOLE) if file.path.exists()]

MONTHS = {"Month-to-month": 1, "One year": 12, "Two year": 24}
_NOT_IN_THE_FILE = ("quantity", "rebilling_date", "payment_customer", "payment_method")
PLANS = {"Month-to-month": "telco-monthly", "One year": "telco-yearly", "Two year": "telco-two-yearly"}


@dataclass(frozen=True, slots=True)
class Customer:
    """One row of the file. `months` is how long a period is; amounts are cents."""

    reference: str
    contract: str
    billable: bool
    tenure_months: int
    monthly_minor: int
    payment_method: str

    @property
    def months(self) -> int:
        return MONTHS[self.contract]

    @property
    def charge_minor(self) -> int:
        """What one period costs: a contract of one year bills 12 months at once, one of two years 24."""
        return self.monthly_minor * self.months

    def periods_due(self, months: int) -> int:
        """How many periods start from the import's day to that day `months` later, both included."""
        return sum((self.tenure_months + month) % self.months == 0 for month in range(months + 1))


def customers(file: CustomerFile) -> Iterator[Customer]:
    with file.path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            cents = Decimal(row["MonthlyCharges"]) * 100
            if cents != int(cents):
                raise ValueError(f"{row['customerID']}: {row['MonthlyCharges']} is no whole number of cents")
            yield Customer(
                reference=row["customerID"],
                contract=row["Contract"],
                billable=row["Churn"] == "No",
                tenure_months=int(row["tenure"]),
                monthly_minor=int(cents),
                payment_method=row["PaymentMethod"],
            )


def create_telco_plans(*, now: datetime.datetime) -> None:
    """The three contracts as plans. Each account has a price of its own, so theirs is nothing."""
    for contract, months in MONTHS.items():
        unit, count = ("month", 1) if months == 1 else ("year", months // 12)
        create_plan(
            code=PLANS[contract],
            name=f"Telephone, {contract.lower()}",
            currency="USD",
            unit_amount_minor=0,
            interval_count=count,
            interval_unit=unit,
            now=now,
        )


def write_import(file: CustomerFile, *, path: Path, as_of: datetime.date) -> None:
    """Write the file's customers in the columns of `import_accounts`."""
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=[name for name in COLUMNS if name not in _NOT_IN_THE_FILE])
        writer.writeheader()
        for customer in customers(file):
            writer.writerow(
                {
                    "external_reference": customer.reference,
                    "name": f"Customer {customer.reference}",
                    "email": f"{customer.reference.lower()}@telco.example",
                    "plan": PLANS[customer.contract],
                    "anchor_date": as_of - relativedelta(months=customer.tenure_months),
                    "unit_amount_minor": customer.charge_minor,
                    "status": "ACTIVE" if customer.billable else "INACTIVE",
                    "metadata": json.dumps({"payment_method": customer.payment_method}),
                }
            )


def expected_charges(file: CustomerFile, *, months: int = 0) -> dict[str, list[int]]:
    """What each billable customer is to be charged, by external reference: the amounts in cents, in order, of a sweep
    on the day of the import and of every month's sweep until `months` later. Customers with nothing due are left out.

    Counted from tenure and contract alone, without the billing calendar. It holds for an import on the 1st to 28th of a
    month: a later day is clamped in shorter months.
    """
    charges = {
        customer.reference: [customer.charge_minor] * customer.periods_due(months)
        for customer in customers(file)
        if customer.billable
    }
    return {reference: amounts for reference, amounts in charges.items() if amounts}
