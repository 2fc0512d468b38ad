"""What a gateway answered, as it can be recorded: what can't be kept, or contradicts the request, is Unknown."""

import logging
from dataclasses import replace

from payments.gateways.port import (
    Answer,
    NotAttempted,
    NotFound,
    Outcome,
    Request,
    Succeeded,
    Unknown,
    contradiction,
    readable,
    unkeepable,
)

logger = logging.getLogger(__name__)


def checked(request: Request, answer: Answer) -> Outcome | NotAttempted:
    """The answer to the request, or an Unknown instead of one that the database can't keep. Money moved otherwise than
    was asked needs review. A rejection of this request only is logged as an error.
    """
    problem = unkeepable(answer)
    if isinstance(answer, Unknown | NotAttempted):
        answer = replace(answer, reason=readable(answer.reason))
    if isinstance(answer, NotAttempted) and answer.this_request_only:
        extra = {"event": "gateway.not_taken", "reason": answer.reason, "key": str(request.key)}
        logger.error("the gateway rejected one request, and no money was moved", extra=extra)
    if isinstance(answer, NotFound):
        problem = "the gateway found nothing, where it should have moved money"
    if problem:
        # One answer that the database refuses would hold up the outcomes of the whole batch.
        logger.error(problem, extra={"event": "gateway.garbage", "key": str(request.key)})
        return Unknown(reason=problem)
    if isinstance(answer, Succeeded) and (problem := contradiction(request, answer)):
        return Unknown(reason=problem, needs_review=True, reference=answer.reference)
    return answer
