# Alarms on silence. They come with the schedules: before them, silence is right.
#
# FILL puts a 0 into every hour without a point. Without it CloudWatch would look further back than the hours it is given
# when points are missing, and go off late; with no point at all, missing counts as breaching.

locals {
  silence_alarms = {
    "sweep-missed" = {
      description = "No sweep has succeeded in 26 hours. The next one catches up; see the runbook, sweep missed."
      metric      = "sweeps", hours = 26
    }
    # Reconcile, which finds what is unexplained, runs hourly.
    "reconcile-missed" = {
      description = "Reconcile hasn't succeeded in 3 hours: unexplained periods aren't found. See the runbook, sweep missed."
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
