"""One Lambda environment: it starts as Lambda starts it, then answers the events on its standard input, a line each.

A start that is refused ends the process with the exception, as Lambda's runtime client ends it.
"""

import json
import logging
import os
import sys
import time
from typing import Any

from localcloud.invocation import LambdaContext


def main() -> None:
    # What the product prints belongs to its log.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # So does Lambda's runtime client, before it loads the function.
    logging.basicConfig(level=os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"))
    began = time.perf_counter()
    from billing_site.lambda_function.entry import handler

    def say(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    say({"started": time.perf_counter() - began})
    for line in sys.stdin:
        try:
            say({"answer": handler(json.loads(line), LambdaContext())})
        except Exception as error:
            say({"error": type(error).__name__, "message": str(error)})


if __name__ == "__main__":
    main()
