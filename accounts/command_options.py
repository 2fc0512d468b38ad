"""Options that commands of several apps have."""

import argparse


def add_data_option(parser: argparse.ArgumentParser) -> None:
    """`--data DIR`, which `manage.py` reads in a clone before the settings load; a command only has to know it."""
    parser.add_argument(
        "--data", metavar="DIR", help="the embedded database's folder in a clone, when no DATABASE_URL is set"
    )
