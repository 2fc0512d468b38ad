# What must be heard from. Made with the schedules, since before them silence is right.
#
# FILL puts a 0 into every hour without a point. Without it CloudWatch would look further back than the hours it is given
# when points are missing, and ring late; with no point at all, missing counts as breaching.

resource "aws_cloudwatch_metric_alarm" "sweep_missed" {
  count = var.functions_deployed ? 1 : 0

  alarm_name          = "${local.name}-sweep-missed"
  alarm_description   = "No sweep has ended well in 26 hours. The next one catches up; see the runbook, sweep missed."
  evaluation_periods  = 26
  datapoints_to_alarm = 26
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "filled"
    expression  = "FILL(sweeps, 0)"
    label       = "Sweeps that ended well"
    return_data = true
  }

  metric_query {
    id = "sweeps"

    metric {
      namespace   = aws_cloudwatch_log_metric_filter.sweeps.metric_transformation[0].namespace
      metric_name = aws_cloudwatch_log_metric_filter.sweeps.metric_transformation[0].name
      stat        = "Sum"
      period      = 3600
    }
  }
}

# Certify, which finds what is unexplained, runs hourly: three silent hours mean that nobody looks.
resource "aws_cloudwatch_metric_alarm" "schedules_silent" {
  count = var.functions_deployed ? 1 : 0

  alarm_name          = "${local.name}-schedules-silent"
  alarm_description   = "No schedule has called the worker in 3 hours, so nobody looks for unexplained periods."
  evaluation_periods  = 3
  datapoints_to_alarm = 3
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alarms.arn]
  ok_actions          = [aws_sns_topic.alarms.arn]

  metric_query {
    id          = "filled"
    expression  = "FILL(attempts, 0)"
    label       = "Calls by schedules"
    return_data = true
  }

  metric_query {
    id = "attempts"

    metric {
      namespace   = "AWS/Scheduler"
      metric_name = "InvocationAttemptCount"
      dimensions  = { ScheduleGroup = aws_scheduler_schedule_group.main.name }
      stat        = "Sum"
      period      = 3600
    }
  }
}
