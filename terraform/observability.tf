# Log groups, there before the functions are, so that Lambda doesn't make them without an end to what they keep.
resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention_days
}

# The worker writes this line once a sweep has ended well, whatever it found and whoever started it. Counting lines and
# not invocations: Scheduler only hands its event over, and an invocation says nothing of how it ended.
resource "aws_cloudwatch_log_metric_filter" "sweeps" {
  name           = "${local.name}-sweeps"
  log_group_name = aws_cloudwatch_log_group.function["worker"].name
  pattern        = "{ $.event = \"run.swept\" }"

  metric_transformation {
    namespace = "${var.metrics_namespace}/${local.name}"
    name      = "sweeps"
    value     = "1"
  }
}

# --- Who is told ---

resource "aws_sns_topic" "alarms" {
  name         = "${local.name}-alarms"
  display_name = "${local.name} alarms"
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "AlarmsOfThisAccount"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = { StringEquals = { "aws:SourceAccount" = local.account_id } }
    }]
  })
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alarm_emails

  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = each.key
}
