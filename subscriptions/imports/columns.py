"""The columns of a file of accounts: which there are, what separates them, and what its header line says."""

import csv
import re

from accounts.contact import CONTACT_FIELDS
from subscriptions.imports.problems import UnreadableFile

REQUIRED = ("external_reference", "name", "email", "plan", "anchor_date")
OPTIONAL = (
    "quantity",
    "unit_amount_minor",
    "currency",
    "status",
    "rebilling_date",
    "opening_balance_minor",
    "tax_rate",
    "payment_customer",
    "payment_method",
    *CONTACT_FIELDS,
    "metadata",
)
COLUMNS = REQUIRED + OPTIONAL

_SEPARATORS = (",", ";", "\t")
_OTHER_SEPARATORS = tuple("|:!#$%&*+-./@\\^~ ")
_SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n])"?[\s,;]*', re.IGNORECASE)


def separator_named_by(line: str) -> str:
    """The separator that a line such as `sep=;` names, or an empty string. Spreadsheets write it above the header."""
    match = _SEPARATOR_LINE.fullmatch(line)
    return match[1] if match else ""


def separator_of(*, header: str, line: int, named: str) -> str:
    """What separates the columns: the character that finds the most known names in the header, unless one was named.

    Raises `UnreadableFile` when it is none of comma, semicolon and tab, or another one than the file names.
    """
    found = max(_SEPARATORS + _OTHER_SEPARATORS, key=lambda separator: _known_names(header, separator))
    separator = named or found
    if found != separator and _known_names(header, found) > _known_names(header, separator):
        reason = (
            f"The line above says sep={named}, but the columns are separated by {_in_words(found)}. Take that line out."
        )
        raise UnreadableFile(line=line, reason=reason)
    if separator not in _SEPARATORS and _known_names(header, separator) > 1:
        reason = (
            f"Can't be read: the columns are separated by {_in_words(separator)}. "
            "Save the file with a comma, a semicolon or a tab between them."
        )
        raise UnreadableFile(line=line, reason=reason)
    return separator


def columns_of(*, header: list[str], line: int) -> list[str]:
    """The columns' names in small letters; one without a name is an empty string, and at the end it is left out.

    Raises `UnreadableFile` when a required column is missing, and when one is unknown or there twice.
    """
    columns = [name.strip().lower() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    if not set(columns) & set(COLUMNS):
        reason = (
            f"Names none of the columns. The first line must name {', '.join(REQUIRED)}, "
            f"and may name {', '.join(OPTIONAL)}."
        )
        raise UnreadableFile(line=line, reason=reason)
    reasons = []
    if missing := [name for name in REQUIRED if name not in columns]:
        reasons.append(f"These columns are missing: {', '.join(missing)}.")
    if unknown := [name.strip() for name in header if name.strip() and name.strip().lower() not in COLUMNS]:
        reasons.append(f"These columns are unknown: {', '.join(map(repr, unknown))}. Known are {', '.join(COLUMNS)}.")
    if twice := [name for name in COLUMNS if columns.count(name) > 1]:
        reasons.append(f"These columns are there more than once: {', '.join(twice)}.")
    if reasons:
        raise UnreadableFile(line=line, reason=" ".join(reasons))
    return columns


def _known_names(header: str, separator: str) -> int:
    """How many columns the header names when this separates them."""
    try:
        cells = next(csv.reader([header], delimiter=separator, strict=True, skipinitialspace=True), [])
    except csv.Error:
        return 0
    return len({cell.strip().lower() for cell in cells} & set(COLUMNS))


def _in_words(separator: str) -> str:
    return {" ": "spaces", "\t": "tabs"}.get(separator, repr(separator))
