# Log groups, there before the functions are, so that Lambda doesn't make them without an end to what they keep.
resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${each.value.name}"
  retention_in_days = var.log_retention_days
}

# Alarms use counts of the lines that the worker logs at the end: Scheduler only hands its event over, and an invocation
# doesn't show how it ended. The product's own metrics are the same in every environment of an
# account; these are this environment's.
locals {
  # NAMESPACE of rebilling/metrics.py, for the dashboard. Those metrics have no dimensions: two environments in one account
  # and region are added up there.
  product_namespace = "Billing"
  own_namespace     = "${local.product_namespace}/${local.name}"
  counted_lines = {
    # Once for each sweep that succeeded, whatever it found and however it was started.
    sweeps = { pattern = "{ $.event = \"run.swept\" }", value = "1" }
    # Reconcile, each hour: how many there are now, 0 as well.
    unexplained  = { pattern = "{ $.unexplained >= 0 }", value = "$.unexplained" }
    needs_review = { pattern = "{ $.needs_review >= 0 }", value = "$.needs_review" }
    # A run that is held: once by the sweep that finds it so, then by reconcile, each hour until a person has decided.
    held = { pattern = "{ ($.event = \"run.held\") || (($.event = \"run.reconciliation\") && ($.reconciliation.status = \"HELD\")) }", value = "1" }
    # Payments that the gateway doesn't take, and payments of another gateway: the message is done, so nothing else shows it.
    not_taken = { pattern = "{ ($.event = \"gateway.not_taken\") || ($.event = \"payment.foreign_gateway\") || ($.event = \"refund.foreign_gateway\") }", value = "1" }
  }
}

resource "aws_cloudwatch_log_metric_filter" "worker" {
  for_each = local.counted_lines

  name           = "${local.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.function["worker"].name
  pattern        = each.value.pattern

  metric_transformation {
    namespace = local.own_namespace
    name      = each.key
    value     = each.value.value
  }
}

# The function that the internet reaches logs each address that it slows for wrong keys, and each login that it locks.
resource "aws_cloudwatch_log_metric_filter" "api" {
  name           = "${local.name}-refused_entries"
  log_group_name = aws_cloudwatch_log_group.function["api"].name
  pattern        = "{ ($.event = \"login.locked\") || ($.event = \"api.failed_keys\") }"

  metric_transformation {
    namespace = local.own_namespace
    name      = "refused_entries"
    value     = "1"
  }
}

# --- Notifications ---

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
