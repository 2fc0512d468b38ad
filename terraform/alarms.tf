# One metric and one threshold each. Missing data means that all is well; metrics that must not be silent are in
# alarms_silence.tf.

locals {
  per_function_alarms = merge([
    for duty, function in local.functions : {
      "${duty}-errors" = {
        description = "${function.name} ended in an error or ran out of time. Its log says why."
        namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = function.name }
        statistic   = "Sum", period = 300, periods = 1, datapoints = 1, threshold = 0
      }
      "${duty}-throttles" = {
        description = "${function.name} was refused: more at once than its reserved concurrency, or the account's."
        namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = function.name }
        statistic   = "Sum", period = 300, periods = 1, datapoints = 1, threshold = 0
      }
    }
  ]...)

  queue_alarms = {
    "dead-letters" = {
      description = "Messages failed ${var.max_receive_count} times and are in the dead-letter queue: their periods aren't charged. See the runbook, DLQ not empty."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.dead_letters.name }
      statistic   = "Maximum", period = 60, periods = 1, datapoints = 1, threshold = 0
    }
    "schedule-dead-letters" = {
      description = "A schedule could not start the worker, or the worker failed at it each time."
      namespace   = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = aws_sqs_queue.schedule_dead_letters.name }
      statistic   = "Maximum", period = 60, periods = 1, datapoints = 1, threshold = 0
    }
    "oldest-message" = {
      description = "A message waits for more than ${var.oldest_message_alarm_seconds} seconds: the worker doesn't keep up, or fails."
      namespace   = "AWS/SQS", metric = "ApproximateAgeOfOldestMessage", dimensions = { QueueName = aws_sqs_queue.rebilling.name }
      statistic   = "Maximum", period = 60, periods = 1, datapoints = 1, threshold = var.oldest_message_alarm_seconds
    }
  }

  # Reconcile has these logged each hour for as long as they are so (observability.tf counts them). Two hours are looked at, so that an hour without a point at its edge ends nothing.
  billing_alarms = {
    unexplained = {
      description = "Periods are due and were neither charged, skipped nor parked, or the books don't agree. Reconcile says which. See the runbook, periods unexplained, and the books don't agree."
      namespace   = local.own_namespace, metric = "unexplained", dimensions = {}
      statistic   = "Maximum", period = 3600, periods = 2, datapoints = 1, threshold = 0
    }
    "needs-review" = {
      description = "Payments or refunds need a person's review. See the runbook, a payment needs review."
      namespace   = local.own_namespace, metric = "needs_review", dimensions = {}
      statistic   = "Maximum", period = 3600, periods = 2, datapoints = 1, threshold = 0
    }
    "run-held" = {
      description = "A run is held: none of its accounts is charged until a person releases or cancels it. See the runbook, run held."
      namespace   = local.own_namespace, metric = "held", dimensions = {}
      statistic   = "Sum", period = 3600, periods = 2, datapoints = 1, threshold = 0
    }
    "not-taken" = {
      description = "The gateway doesn't take some payments or refunds, or they belong to another gateway than the configured one: their money isn't collected. See the runbook, a payment isn't taken."
      namespace   = local.own_namespace, metric = "not_taken", dimensions = {}
      statistic   = "Sum", period = 3600, periods = 2, datapoints = 1, threshold = 0
    }
  }

  database_alarms = {
    "database-cpu" = {
      description = "The database was above 80 % CPU for 15 minutes."
      namespace   = "AWS/RDS", metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = local.database_identifier }
      statistic   = "Average", period = 300, periods = 3, datapoints = 3, threshold = 80
    }
    "database-connections" = {
      description = "More than 80 % of the database's ${local.max_connections} connections are taken."
      namespace   = "AWS/RDS", metric = "DatabaseConnections", dimensions = { DBInstanceIdentifier = local.database_identifier }
      statistic   = "Maximum", period = 300, periods = 1, datapoints = 1, threshold = floor(local.max_connections * 0.8)
    }
  }

  api_alarms = {
    "api-server-errors" = {
      description = "The API answered 5xx."
      namespace   = "AWS/ApiGateway", metric = "5XXError", dimensions = { ApiName = local.functions.api.name }
      statistic   = "Sum", period = 300, periods = 1, datapoints = 1, threshold = 0
    }
    "refused-entries" = {
      description = "A login was locked, or an address sent many wrong API keys. See the runbook, somebody tries to get in."
      namespace   = local.own_namespace, metric = "refused_entries", dimensions = {}
      statistic   = "Sum", period = 300, periods = 1, datapoints = 1, threshold = 0
    }
  }

  above_alarms = merge(local.per_function_alarms, local.queue_alarms, local.billing_alarms, local.database_alarms, local.api_alarms)
}

resource "aws_cloudwatch_metric_alarm" "above" {
  for_each = local.above_alarms

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.datapoints
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}

resource "aws_cloudwatch_metric_alarm" "database_storage" {
  alarm_name          = "${local.name}-database-storage"
  alarm_description   = "Less than a fifth of the database's first ${var.database_storage_gib} GiB is free; RDS enlarges it up to ${var.database_most_storage_gib}."
  namespace           = "AWS/RDS"
  metric_name         = "FreeStorageSpace"
  dimensions          = { DBInstanceIdentifier = local.database_identifier }
  statistic           = "Minimum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "LessThanThreshold"
  threshold           = floor(var.database_storage_gib * 1024 * 1024 * 1024 / 5)
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]
}
