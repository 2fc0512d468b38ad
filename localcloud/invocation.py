"""One invocation of the Lambda function on this machine: the same entry point, event and context."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FUNCTION_TIMEOUT_SECONDS = 120

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True)
class LambdaContext:
    """The parts of Lambda's context object that a handler uses."""

    function_name: str = "billing-local"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 1024
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    deadline: float = field(default_factory=lambda: time.monotonic() + FUNCTION_TIMEOUT_SECONDS)

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:{self.function_name}"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * 1000))


def entry_point() -> Handler:
    """The function that Lambda calls, imported late since it loads the product."""
    from billing_site.lambda_function.entry import handler

    return handler


def invoke(*, handler: Handler, event: dict[str, Any]) -> Any:
    """The handler's answer. Its exception is raised here, as Lambda reports it to the caller."""
    return handler(event, LambdaContext())
