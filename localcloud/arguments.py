"""Options that several commands of the machine's own cloud have."""

import argparse
import datetime
from pathlib import Path

from accounts.written_days import NotABillingDay, billing_day_from


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """`manage.py` read it before the settings, see localcloud.preparation; here it is only known."""
    parser.add_argument("--data", type=Path, help="the data folder (default: BILLING_DATA, or .local)")


def add_today_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--today", type=billing_date, metavar="DATE", help="the day on which a new data folder begins, YYYY-MM-DD"
    )


def billing_date(text: str) -> datetime.date:
    """A day, YYYY-MM-DD and within the days that billing knows."""
    try:
        return billing_day_from(text)
    except NotABillingDay as error:
        raise argparse.ArgumentTypeError(str(error)) from error
