# What must be heard from. Made with the schedules, since before them silence is right.
#
# FILL puts a 0 into every hour without a point. Without it CloudWatch would look further back than the hours it is given
# when points are missing, and ring late; with no point at all, missing counts as breaching.

locals {
  silence_alarms = {
    "sweep-missed" = {
      description = "No sweep has ended well in 26 hours. The next one catches up; see the runbook, sweep missed."
      metric      = "sweeps", hours = 26
    }
    # Certify, which finds what is unexplained, runs hourly.
    "certify-missed" = {
      description = "Certify hasn't ended well in 3 hours: nobody looks for unexplained periods."
      metric      = "unexplained", hours = 3
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "silence" {
  for_each = var.functions_deployed ? local.silence_alarms : {}

  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = each.value.description
  evaluation_periods  = each.value.hours
  datapoints_to_alarm = each.value.hours
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "filled"
    expression  = "FILL(heard, 0)"
    label       = "Heard of"
    return_data = true
  }

  metric_query {
    id = "heard"

    metric {
      namespace   = local.own_namespace
      metric_name = aws_cloudwatch_log_metric_filter.worker[each.value.metric].metric_transformation[0].name
      stat        = "SampleCount"
      period      = 3600
    }
  }
}
