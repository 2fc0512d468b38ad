"""Posts charges and payments by django-hordak's own API.

Run by the Python of its environment, which has nothing of ours. HOST, USER and NAME are those of an empty database.
For each line on the standard input it posts a charge and a payment of each customer, and prints how many of both it did
a second.
"""

import os
import sys
import time

import django
from django.conf import settings

CUSTOMERS = 500


def main() -> None:
    database = {name: os.environ[name] for name in ("HOST", "USER", "NAME")}
    settings.configure(
        SECRET_KEY="benchmark",
        INSTALLED_APPS=["django.contrib.contenttypes", "mptt", "hordak"],
        DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **database}},
        CURRENCIES=["USD"],
        DEFAULT_CURRENCY="USD",
        HORDAK_INTERNAL_CURRENCY="USD",
        USE_TZ=True,
    )
    django.setup()
    from django.core.management import call_command
    from hordak.models import Account, AccountType
    from moneyed import Money

    call_command("migrate", verbosity=0)
    cash = Account.objects.create(name="Cash", type=AccountType.asset, currencies=["USD"])
    revenue = Account.objects.create(name="Revenue", type=AccountType.income, currencies=["USD"])
    receivables = [
        Account.objects.create(name=f"Customer {number}", type=AccountType.asset, currencies=["USD"])
        for number in range(CUSTOMERS)
    ]
    price = Money("19.99", "USD")
    for _ in sys.stdin:
        started = time.perf_counter()
        for receivable in receivables:
            revenue.transfer_to(receivable, price, description="Pro, 1 Jan to 31 Jan 2026")
            receivable.transfer_to(cash, price, description="Payment of invoice")
        print(CUSTOMERS / (time.perf_counter() - started), flush=True)


if __name__ == "__main__":
    main()
