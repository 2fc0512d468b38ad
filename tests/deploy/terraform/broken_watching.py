"""Ways to break logs, alarms and the dashboard."""

from tests.deploy.terraform.breaks import Break, breaks

OBSERVABILITY: list[Break] = [
    *breaks(
        "observability",
        (
            "retention_in_days = var.log_retention_days",
            "retention_in_days = 0",
            "Each function has a log group with an end to what it keeps.",
        ),
        (
            'aws_cloudwatch_log_group.function["worker"].name',
            'aws_cloudwatch_log_group.function["api"].name',
            "What the worker says at the end is counted.",
        ),
        (
            "login.locked",
            "login.opened",
            "What the API refuses to let in is counted.",
        ),
        ("endpoint  = each.key", 'endpoint  = "nobody@example.com"', "The addresses get a message."),
    ),
    *breaks(
        "alarms",
        (
            "dimensions = { QueueName = aws_sqs_queue.dead_letters.name }",
            "dimensions = { QueueName = aws_sqs_queue.rebilling.name }",
            "Alarm: dead-letters.",
        ),
        (
            "dimensions = { QueueName = aws_sqs_queue.schedule_dead_letters.name }",
            "dimensions = { QueueName = aws_sqs_queue.rebilling.name }",
            "Alarm: schedule-dead-letters.",
        ),
        (
            'metric = "Errors"',
            'metric = "Invocations"',
            "Alarm: api-errors.",
            "Alarm: worker-errors.",
            "Alarm: migrate-errors.",
        ),
        (
            'metric = "Throttles"',
            'metric = "Duration"',
            "Alarm: api-throttles.",
            "Alarm: worker-throttles.",
            "Alarm: migrate-throttles.",
        ),
        (
            "above_alarms = merge(",
            'above_alarms = merge({ again = local.queue_alarms["dead-letters"] }, ',
            "There are 17 alarms of this kind.",
        ),
        ('metric = "ApproximateAgeOfOldestMessage"', 'metric = "NumberOfMessagesSent"', "Alarm: oldest-message."),
        ('metric = "unexplained"', 'metric = "due"', "Alarm: unexplained."),
        ('metric = "needs_review"', 'metric = "unknown"', "Alarm: needs-review."),
        ('metric = "held"', 'metric = "unexplained"', "Alarm: run-held."),
        ('metric = "refused_entries"', 'metric = "unknown"', "Alarm: refused-entries."),
        ('metric = "not_taken"', 'metric = "unknown"', "Alarm: not-taken."),
        ('metric = "CPUUtilization"', 'metric = "CPUCreditBalance"', "Alarm: database-cpu."),
        ("local.max_connections * 0.8", "local.max_connections * 2", "Alarm: database-connections."),
        ('metric = "5XXError"', 'metric = "4XXError"', "Alarm: api-server-errors."),
        (
            'comparison_operator = "GreaterThanThreshold"',
            'comparison_operator = "LessThanThreshold"',
            "What is silent when all is well sets off no alarm by its silence.",
        ),
        (
            'metric_name         = "FreeStorageSpace"',
            'metric_name         = "FreeableMemory"',
            "Alarm: less than 4 GiB of storage left.",
        ),
        (
            "  alarm_actions       = [aws_sns_topic.alarms.arn]\n"
            "  ok_actions          = [aws_sns_topic.alarms.arn]\n}\n\n",
            "  alarm_actions       = []\n  ok_actions          = [aws_sns_topic.alarms.arn]\n}\n\n",
            "Every alarm goes to the topic, and says when it is over.",
        ),
    ),
    *breaks(
        "alarms_silence",
        ('expression  = "FILL(heard, 0)"', 'expression  = "heard"', "Silence sets off an alarm."),
        (
            "hours = 26",
            "hours = 30",
            "Alarm: no sweep in 26 hours.",
        ),
        (
            'metric      = "unexplained", hours = 3',
            'metric      = "needs_review", hours = 3',
            "Alarm: no reconcile in 3 hours.",
        ),
    ),
    *breaks(
        "dashboard",
        (
            '["AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", row.name,',
            '["AWS/SQS", "NumberOfMessagesSent", "QueueName", row.name,',
            "The dashboard shows both queues, how many and how old.",
        ),
        (
            "[local.product_namespace, metric, {",
            '[local.product_namespace, metric, "Environment", var.environment, {',
            "The dashboard shows the product's own metrics, without dimensions.",
        ),
        (
            "[for group in aws_cloudwatch_log_group.function : \"SOURCE '${group.name}'\"]",
            '["SOURCE \'${aws_cloudwatch_log_group.function["api"].name}\'"]',
            "The dashboard has a table of every function's log.",
        ),
        (
            'filter level in [\\"ERROR\\", \\"CRITICAL\\"]',
            'filter level in [\\"CRITICAL\\"]',
            "The table holds ERROR and above.",
        ),
    ),
]
