locals {
  # By name and not by reference, so that a queue can hold its own policy.
  queue_names = {
    rebilling             = "${local.name}-rebilling"
    dead_letters          = "${local.name}-rebilling-dlq"
    schedule_dead_letters = "${local.name}-schedule-dlq"
  }
  queue_arns = { for key, name in local.queue_names : key => "arn:${local.partition}:sqs:${var.aws_region}:${local.account_id}:${name}" }

  tls_policies = {
    for key, arn in local.queue_arns : key => jsonencode({
      Version = "2012-10-17"
      Statement = [{
        Sid       = "RefuseWithoutTls"
        Effect    = "Deny"
        Principal = "*"
        Action    = "sqs:*"
        Resource  = arn
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      }]
    })
  }
}

resource "aws_sqs_queue" "rebilling" {
  policy = local.tls_policies.rebilling
  name   = local.queue_names.rebilling
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
  policy                    = local.tls_policies.dead_letters
  name                      = local.queue_names.dead_letters
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [local.queue_arns.rebilling]
  })
}

# Schedules that could not start the worker, and those that it failed at.
resource "aws_sqs_queue" "schedule_dead_letters" {
  policy                    = local.tls_policies.schedule_dead_letters
  name                      = local.queue_names.schedule_dead_letters
  message_retention_seconds = 14 * 24 * 3600
  sqs_managed_sse_enabled   = true
}

resource "aws_lambda_event_source_mapping" "rebilling" {
  count = var.functions_deployed ? 1 : 0

  event_source_arn = aws_sqs_queue.rebilling.arn
  function_name    = local.function_arns.worker
  batch_size       = var.queue_batch_size
  # A message that fails comes back alone, without the others of its invocation.
  function_response_types = ["ReportBatchItemFailures"]

  # Never more than the function has: Lambda would take messages and throttle itself, and each time counts as a receive.
  scaling_config {
    maximum_concurrency = local.queue_concurrency
  }

  depends_on = [aws_iam_role_policy.queue]
}

# The worker sends what it had no time for to its own queue, and so comes after itself for as long as a large run takes.
# Lambda takes that for a loop, and by default ends it after some 16 rounds, with a dead letter that nothing is wrong with.
resource "aws_lambda_function_recursion_config" "worker" {
  count = var.functions_deployed ? 1 : 0

  function_name  = local.functions.worker.name
  recursive_loop = "Allow"
}
