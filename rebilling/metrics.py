"""Metrics, as log lines in CloudWatch's embedded metric format, from which CloudWatch extracts them.

The format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
Namespace `Billing`, no dimensions, all of them counts. The formatter puts these names at the top of the line's object.
"""

import datetime
import logging

logger = logging.getLogger(__name__)

NAMESPACE = "Billing"


def emit(*, now: datetime.datetime, **counts: int) -> None:
    """Log one line with these metrics.

    Counters, to be summed: the periods `due`, `charged` and `parked`, and the payments `succeeded`, `declined` and
    `unknown`. Gauges, once an hour: `needs_review` and `unexplained`.
    """
    metrics = [{"Name": name, "Unit": "Count"} for name in counts]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[]], "Metrics": metrics}
    embedded = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    logger.info("metrics", extra={"event": "metrics", "_aws": embedded, **counts})
