"""Options that commands of several apps have, and the dates that they take."""

import argparse
import datetime

from accounts.date_format import NotABillingDay, billing_day_from


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """`--data DIR`, which `manage.py` reads in a clone before the settings load; a command only has to know it."""
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the data folder in a clone (default: BILLING_DATA, or .local); its database is used when no DATABASE_URL "
        "is set",
    )


def billing_date(text: str) -> datetime.date:
    """A date argument: YYYY-MM-DD, within the range of billing dates."""
    try:
        return billing_day_from(text)
    except NotABillingDay as error:
        raise argparse.ArgumentTypeError(f"{error}.") from error
