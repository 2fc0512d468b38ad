"""How many items may wait for an account's next invoice."""

from accounts.errors import Conflict
from accounts.locked_accounts import LockedAccount
from invoices.models import PENDING, Item

MAX_PENDING_ITEMS = 100
"""Of one account: what waits comes on one invoice."""


class TooManyItems(Conflict):
    code = "too-many-items"


def check_items_can_wait(account: LockedAccount, more: int) -> None:
    """That so many more can. Raises `TooManyItems`."""
    waiting = Item.objects.filter(PENDING, account_id=account.id).count()
    if waiting + more > MAX_PENDING_ITEMS:
        raise TooManyItems(
            f"At most {MAX_PENDING_ITEMS} items can wait for the next invoice: {waiting} do, and {more} would be added."
        )
