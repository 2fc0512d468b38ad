mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "alarms_reach_people" {
  variables {
    alarm_emails = ["billing@example.com"]
  }

  assert {
    condition     = { for duty, group in aws_cloudwatch_log_group.function : group.name => group.retention_in_days } == { "/aws/lambda/billing-production" = 90, "/aws/lambda/billing-production-worker" = 90, "/aws/lambda/billing-production-migrate" = 90 }
    error_message = "Each function has a log group with an end to what it keeps."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["api-errors"].namespace} ${aws_cloudwatch_metric_alarm.above["api-errors"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["api-errors"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["api-errors"].statistic} ${aws_cloudwatch_metric_alarm.above["api-errors"].period} ${aws_cloudwatch_metric_alarm.above["api-errors"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["api-errors"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["api-errors"].threshold}" == "AWS/Lambda Errors billing-production Sum 300 1/1 > 0"
    error_message = "Alarm: api-errors."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["api-throttles"].namespace} ${aws_cloudwatch_metric_alarm.above["api-throttles"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["api-throttles"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["api-throttles"].statistic} ${aws_cloudwatch_metric_alarm.above["api-throttles"].period} ${aws_cloudwatch_metric_alarm.above["api-throttles"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["api-throttles"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["api-throttles"].threshold}" == "AWS/Lambda Throttles billing-production Sum 300 1/1 > 0"
    error_message = "Alarm: api-throttles."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["worker-errors"].namespace} ${aws_cloudwatch_metric_alarm.above["worker-errors"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["worker-errors"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["worker-errors"].statistic} ${aws_cloudwatch_metric_alarm.above["worker-errors"].period} ${aws_cloudwatch_metric_alarm.above["worker-errors"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["worker-errors"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["worker-errors"].threshold}" == "AWS/Lambda Errors billing-production-worker Sum 300 1/1 > 0"
    error_message = "Alarm: worker-errors."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["worker-throttles"].namespace} ${aws_cloudwatch_metric_alarm.above["worker-throttles"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["worker-throttles"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["worker-throttles"].statistic} ${aws_cloudwatch_metric_alarm.above["worker-throttles"].period} ${aws_cloudwatch_metric_alarm.above["worker-throttles"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["worker-throttles"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["worker-throttles"].threshold}" == "AWS/Lambda Throttles billing-production-worker Sum 300 1/1 > 0"
    error_message = "Alarm: worker-throttles."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["migrate-errors"].namespace} ${aws_cloudwatch_metric_alarm.above["migrate-errors"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["migrate-errors"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["migrate-errors"].statistic} ${aws_cloudwatch_metric_alarm.above["migrate-errors"].period} ${aws_cloudwatch_metric_alarm.above["migrate-errors"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["migrate-errors"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["migrate-errors"].threshold}" == "AWS/Lambda Errors billing-production-migrate Sum 300 1/1 > 0"
    error_message = "Alarm: migrate-errors."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["migrate-throttles"].namespace} ${aws_cloudwatch_metric_alarm.above["migrate-throttles"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["migrate-throttles"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["migrate-throttles"].statistic} ${aws_cloudwatch_metric_alarm.above["migrate-throttles"].period} ${aws_cloudwatch_metric_alarm.above["migrate-throttles"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["migrate-throttles"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["migrate-throttles"].threshold}" == "AWS/Lambda Throttles billing-production-migrate Sum 300 1/1 > 0"
    error_message = "Alarm: migrate-throttles."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["dead-letters"].namespace} ${aws_cloudwatch_metric_alarm.above["dead-letters"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["dead-letters"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["dead-letters"].statistic} ${aws_cloudwatch_metric_alarm.above["dead-letters"].period} ${aws_cloudwatch_metric_alarm.above["dead-letters"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["dead-letters"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["dead-letters"].threshold}" == "AWS/SQS ApproximateNumberOfMessagesVisible billing-production-rebilling-dlq Maximum 60 1/1 > 0"
    error_message = "Alarm: dead-letters."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].namespace} ${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].statistic} ${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].period} ${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["schedule-dead-letters"].threshold}" == "AWS/SQS ApproximateNumberOfMessagesVisible billing-production-schedule-dlq Maximum 60 1/1 > 0"
    error_message = "Alarm: schedule-dead-letters."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["oldest-message"].namespace} ${aws_cloudwatch_metric_alarm.above["oldest-message"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["oldest-message"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["oldest-message"].statistic} ${aws_cloudwatch_metric_alarm.above["oldest-message"].period} ${aws_cloudwatch_metric_alarm.above["oldest-message"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["oldest-message"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["oldest-message"].threshold}" == "AWS/SQS ApproximateAgeOfOldestMessage billing-production-rebilling Maximum 60 1/1 > 3600"
    error_message = "Alarm: oldest-message."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["unexplained"].namespace} ${aws_cloudwatch_metric_alarm.above["unexplained"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["unexplained"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["unexplained"].statistic} ${aws_cloudwatch_metric_alarm.above["unexplained"].period} ${aws_cloudwatch_metric_alarm.above["unexplained"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["unexplained"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["unexplained"].threshold}" == "Billing/billing-production unexplained  Maximum 3600 1/2 > 0"
    error_message = "Alarm: unexplained."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["needs-review"].namespace} ${aws_cloudwatch_metric_alarm.above["needs-review"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["needs-review"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["needs-review"].statistic} ${aws_cloudwatch_metric_alarm.above["needs-review"].period} ${aws_cloudwatch_metric_alarm.above["needs-review"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["needs-review"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["needs-review"].threshold}" == "Billing/billing-production needs_review  Maximum 3600 1/2 > 0"
    error_message = "Alarm: needs-review."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["run-held"].namespace} ${aws_cloudwatch_metric_alarm.above["run-held"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["run-held"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["run-held"].statistic} ${aws_cloudwatch_metric_alarm.above["run-held"].period} ${aws_cloudwatch_metric_alarm.above["run-held"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["run-held"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["run-held"].threshold}" == "Billing/billing-production held  Sum 3600 1/2 > 0"
    error_message = "Alarm: run-held."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["not-taken"].namespace} ${aws_cloudwatch_metric_alarm.above["not-taken"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["not-taken"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["not-taken"].statistic} ${aws_cloudwatch_metric_alarm.above["not-taken"].period} ${aws_cloudwatch_metric_alarm.above["not-taken"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["not-taken"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["not-taken"].threshold}" == "Billing/billing-production not_taken  Sum 3600 1/2 > 0"
    error_message = "Alarm: not-taken."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["refused-entries"].namespace} ${aws_cloudwatch_metric_alarm.above["refused-entries"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["refused-entries"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["refused-entries"].statistic} ${aws_cloudwatch_metric_alarm.above["refused-entries"].period} ${aws_cloudwatch_metric_alarm.above["refused-entries"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["refused-entries"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["refused-entries"].threshold}" == "Billing/billing-production refused_entries  Sum 300 1/1 > 0"
    error_message = "Alarm: refused-entries."
  }

  assert {
    condition     = "${aws_cloudwatch_log_metric_filter.api.log_group_name} ${aws_cloudwatch_log_metric_filter.api.pattern} ${aws_cloudwatch_log_metric_filter.api.metric_transformation[0].namespace} ${aws_cloudwatch_log_metric_filter.api.metric_transformation[0].name} ${aws_cloudwatch_log_metric_filter.api.metric_transformation[0].value}" == "/aws/lambda/billing-production { ($.event = \"login.locked\") || ($.event = \"api.failed_keys\") } Billing/billing-production refused_entries 1"
    error_message = "What the API refuses to let in is counted."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["database-cpu"].namespace} ${aws_cloudwatch_metric_alarm.above["database-cpu"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["database-cpu"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["database-cpu"].statistic} ${aws_cloudwatch_metric_alarm.above["database-cpu"].period} ${aws_cloudwatch_metric_alarm.above["database-cpu"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["database-cpu"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["database-cpu"].threshold}" == "AWS/RDS CPUUtilization billing-production Average 300 3/3 > 80"
    error_message = "Alarm: database-cpu."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["database-connections"].namespace} ${aws_cloudwatch_metric_alarm.above["database-connections"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["database-connections"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["database-connections"].statistic} ${aws_cloudwatch_metric_alarm.above["database-connections"].period} ${aws_cloudwatch_metric_alarm.above["database-connections"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["database-connections"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["database-connections"].threshold}" == "AWS/RDS DatabaseConnections billing-production Maximum 300 1/1 > 128"
    error_message = "Alarm: database-connections."
  }

  assert {
    condition     = "${aws_cloudwatch_metric_alarm.above["api-server-errors"].namespace} ${aws_cloudwatch_metric_alarm.above["api-server-errors"].metric_name} ${join(",", values(coalesce(aws_cloudwatch_metric_alarm.above["api-server-errors"].dimensions, {})))} ${aws_cloudwatch_metric_alarm.above["api-server-errors"].statistic} ${aws_cloudwatch_metric_alarm.above["api-server-errors"].period} ${aws_cloudwatch_metric_alarm.above["api-server-errors"].datapoints_to_alarm}/${aws_cloudwatch_metric_alarm.above["api-server-errors"].evaluation_periods} > ${aws_cloudwatch_metric_alarm.above["api-server-errors"].threshold}" == "AWS/ApiGateway 5XXError billing-production Sum 300 1/1 > 0"
    error_message = "Alarm: api-server-errors."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.above) == 17
    error_message = "There are 17 alarms of this kind."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.above : alarm.comparison_operator == "GreaterThanThreshold" && alarm.treat_missing_data == "notBreaching"])
    error_message = "What is silent when all is well sets off no alarm by its silence."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.database_storage.metric_name == "FreeStorageSpace" && aws_cloudwatch_metric_alarm.database_storage.comparison_operator == "LessThanThreshold" && aws_cloudwatch_metric_alarm.database_storage.threshold == 4294967296
    error_message = "Alarm: less than 4 GiB of storage left."
  }

  assert {
    condition     = alltrue([for alarm in concat(values(aws_cloudwatch_metric_alarm.above), [aws_cloudwatch_metric_alarm.database_storage], values(aws_cloudwatch_metric_alarm.silence)) : alarm.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:billing-production-alarms"]) && alarm.ok_actions == alarm.alarm_actions])
    error_message = "Every alarm goes to the topic, and says when it is over."
  }

  assert {
    condition     = { for name, filter in aws_cloudwatch_log_metric_filter.worker : name => [filter.log_group_name, filter.pattern, filter.metric_transformation[0].namespace, filter.metric_transformation[0].name, filter.metric_transformation[0].value] } == { sweeps = ["/aws/lambda/billing-production-worker", "{ $.event = \"run.swept\" }", "Billing/billing-production", "sweeps", "1"], unexplained = ["/aws/lambda/billing-production-worker", "{ $.unexplained >= 0 }", "Billing/billing-production", "unexplained", "$.unexplained"], needs_review = ["/aws/lambda/billing-production-worker", "{ $.needs_review >= 0 }", "Billing/billing-production", "needs_review", "$.needs_review"], held = ["/aws/lambda/billing-production-worker", "{ ($.event = \"run.held\") || (($.event = \"run.reconciliation\") && ($.reconciliation.status = \"HELD\")) }", "Billing/billing-production", "held", "1"], not_taken = ["/aws/lambda/billing-production-worker", "{ ($.event = \"gateway.not_taken\") || ($.event = \"payment.foreign_gateway\") || ($.event = \"refund.foreign_gateway\") }", "Billing/billing-production", "not_taken", "1"] }
    error_message = "What the worker says at the end is counted."
  }

  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.silence : alarm.comparison_operator == "LessThanThreshold" && alarm.threshold == 1 && alarm.treat_missing_data == "breaching" && alarm.datapoints_to_alarm == alarm.evaluation_periods && strcontains(jsonencode(alarm.metric_query), "FILL(")])
    error_message = "Silence sets off an alarm."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.silence["sweep-missed"].evaluation_periods == 26 && alltrue([for query in aws_cloudwatch_metric_alarm.silence["sweep-missed"].metric_query : query.metric[0].period == 3600 && query.metric[0].stat == "SampleCount" && query.metric[0].metric_name == "sweeps" && query.metric[0].namespace == "Billing/billing-production" if length(query.metric) > 0])
    error_message = "Alarm: no sweep in 26 hours."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.silence["reconcile-missed"].evaluation_periods == 3 && alltrue([for query in aws_cloudwatch_metric_alarm.silence["reconcile-missed"].metric_query : query.metric[0].period == 3600 && query.metric[0].stat == "SampleCount" && query.metric[0].metric_name == "unexplained" && query.metric[0].namespace == "Billing/billing-production" if length(query.metric) > 0])
    error_message = "Alarm: no reconcile in 3 hours."
  }

  assert {
    condition     = toset([for subscription in aws_sns_topic_subscription.email : subscription.endpoint]) == toset(["billing@example.com"])
    error_message = "The addresses get a message."
  }

  assert {
    condition     = [for widget in jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets : [for metric in widget.properties.metrics : "${metric[1]} ${metric[3]}"] if widget.type == "metric" && try(startswith(widget.properties.metrics[0][0], "AWS/SQS"), false)] == [for queue in ["billing-production-rebilling", "billing-production-rebilling-dlq"] : ["ApproximateNumberOfMessagesVisible ${queue}", "ApproximateAgeOfOldestMessage ${queue}"]]
    error_message = "The dashboard shows both queues, how many and how old."
  }

  assert {
    condition     = { for metric in one([for widget in jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets : widget.properties.metrics if widget.properties.title == "Billing"]) : join(" ", slice(metric, 0, length(metric) - 1)) => metric[length(metric) - 1].stat } == merge({ for name in ["due", "charged", "succeeded", "declined", "unknown", "parked"] : "Billing ${name}" => "Sum" }, { for name in ["needs_review", "unexplained"] : "Billing ${name}" => "Maximum" })
    error_message = "The dashboard shows the product's own metrics, without dimensions."
  }

  assert {
    condition     = one([for widget in jsondecode(aws_cloudwatch_dashboard.main.dashboard_body).widgets : widget.properties.query if widget.type == "log"]) == local.error_query && alltrue([for group in aws_cloudwatch_log_group.function : strcontains(local.error_query, "SOURCE '${group.name}' |")])
    error_message = "The dashboard has a table of every function's log."
  }

  assert {
    condition     = strcontains(local.error_query, "| filter level in [\"ERROR\", \"CRITICAL\"] or ")
    error_message = "The table holds ERROR and above."
  }
}
