resource "aws_sqs_queue" "rebilling" {
  name = "${local.name}-rebilling"
  # A message comes back only when no invocation can still be working on it: Lambda asks for 6 times its timeout.
  visibility_timeout_seconds = local.visibility_timeout_seconds
  message_retention_seconds  = 4 * 24 * 3600
  receive_wait_time_seconds  = 20
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead_letters.arn
    maxReceiveCount     = var.max_receive_count
  })
}

# A dead letter's age counts from when the message was first sent, so it is kept for as long as SQS keeps anything.
resource "aws_sqs_queue" "dead_letters" {
  name                      = "${local.name}-rebilling-dlq"
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = ["arn:${local.partition}:sqs:${var.aws_region}:${local.account_id}:${local.name}-rebilling"]
  })
}

# Schedules that could not start the worker, and those that it failed at.
resource "aws_sqs_queue" "schedule_dead_letters" {
  name                      = "${local.name}-schedule-dlq"
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

locals {
  queues = {
    rebilling             = aws_sqs_queue.rebilling
    dead_letters          = aws_sqs_queue.dead_letters
    schedule_dead_letters = aws_sqs_queue.schedule_dead_letters
  }
}

resource "aws_sqs_queue_policy" "tls" {
  for_each = local.queues

  queue_url = each.value.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "RefuseWithoutTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = each.value.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_lambda_event_source_mapping" "rebilling" {
  count = var.functions_deployed ? 1 : 0

  event_source_arn = aws_sqs_queue.rebilling.arn
  function_name    = local.function_arns.worker
  batch_size       = var.queue_batch_size
  # One bad message comes back alone, and not with the batch that it came in.
  function_response_types = ["ReportBatchItemFailures"]

  # Never more than the function has: Lambda would take messages and throttle itself, and each time counts as a receive.
  scaling_config {
    maximum_concurrency = local.queue_concurrency
  }

  depends_on = [aws_iam_role_policy.queue]
}
