"""When and what to charge: runs, and the one row that makes each charge happen once."""

from rebilling.models.books_check import BooksCheck
from rebilling.models.gap_suspect import GapSuspect
from rebilling.models.proration import Proration
from rebilling.models.rebilling import AWAITS_DECISION, WAITING, ParkReason, Rebilling, SkipReason
from rebilling.models.run import Run

__all__ = [
    "AWAITS_DECISION",
    "WAITING",
    "BooksCheck",
    "GapSuspect",
    "ParkReason",
    "Proration",
    "Rebilling",
    "Run",
    "SkipReason",
]
