"""The option of commands that may begin a data folder."""

import argparse

from accounts.command_options import billing_date


def add_today_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--today", type=billing_date, metavar="DATE", help="the day on which a new data folder begins, YYYY-MM-DD"
    )
