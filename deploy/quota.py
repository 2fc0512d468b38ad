"""Whether the account may run as many functions at once as an environment reserves."""

from typing import Any

from botocore.exceptions import ClientError

from deploy.errors import UnableToShip
from deploy.variables import Variables

KEPT_FREE = 100
"""Of an account's concurrency, AWS lets nobody reserve these."""


def check_quota(*, lambda_client: Any, variables: Variables) -> None:
    """Raises UnableToShip for an account that can't reserve them, before anything is made."""
    if not variables.reserve_concurrency:
        return
    try:
        limit = lambda_client.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    except ClientError:
        # Whoever may not ask finds out from Lambda.
        return
    needed = variables.concurrency + KEPT_FREE
    if limit < needed:
        raise UnableToShip(
            f"the account may run {limit} functions at once, and to reserve {variables.concurrency} takes {needed}: "
            "ask for a larger quota (docs/deploy.md, step 1), or set reserve_concurrency = false"
        )
