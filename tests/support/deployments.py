"""What a deployment is of, where nothing is deployed."""

from pathlib import Path

from deploy.variables import Variables


def some_variables(*, reserve_concurrency: bool = True) -> Variables:
    """Of an environment that reserves 31 functions at once, or none."""
    return Variables(
        file=Path("a.tfvars"),
        environment="production",
        project="billing",
        region="us-east-1",
        account=None,
        payment_gateway="a.B",
        connect=True,
        reserve_concurrency=reserve_concurrency,
        concurrency=31,
    )
