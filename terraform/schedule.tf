# In a group of its own, whose metrics tell whether schedules run at all.
resource "aws_scheduler_schedule_group" "main" {
  name = local.name
}

locals {
  sweep_clock = split(":", var.sweep_time)
  schedules = {
    sweep = {
      description = "Finds what is due and sends it to the queue"
      expression  = "cron(${tonumber(local.sweep_clock[1])} ${tonumber(local.sweep_clock[0])} * * ? *)"
      # Tried for hours: a sweep that starts late finds the same, its day being the schedule's and not the clock's.
      age_seconds = 6 * 3600
      retries     = 60
    }
    reconcile = {
      description = "Reconciles open runs, looks up unknown payments, sends leftovers again"
      expression  = "cron(20 * * * ? *)"
      # The next one does what this one didn't.
      age_seconds = 1800
      retries     = 10
    }
  }
}

resource "aws_scheduler_schedule" "main" {
  for_each = var.functions_deployed ? local.schedules : {}

  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.main.name
  description                  = each.value.description
  schedule_expression          = each.value.expression
  schedule_expression_timezone = var.billing_time_zone

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = local.function_arns.worker
    role_arn = aws_iam_role.scheduler.arn
    # Written out: jsonencode would escape < and >, and Scheduler would not find what it is to fill in.
    input = "{\"command\": \"${each.key}\", \"time\": \"<aws.scheduler.scheduled-time>\"}"

    retry_policy {
      maximum_event_age_in_seconds = each.value.age_seconds
      maximum_retry_attempts       = each.value.retries
    }

    dead_letter_config {
      arn = aws_sqs_queue.schedule_dead_letters.arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

# Scheduler hands its event over and is done: what the worker then fails at, Lambda tries again, and keeps in the end.
resource "aws_lambda_function_event_invoke_config" "worker" {
  count = var.functions_deployed ? 1 : 0

  function_name                = local.functions.worker.name
  maximum_event_age_in_seconds = 6 * 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.schedule_dead_letters.arn
    }
  }

  depends_on = [aws_iam_role_policy.queue]
}

# --- Scheduler's own role: it may start the worker and leave what it could not start, and nothing more ---

resource "aws_iam_role" "scheduler" {
  name        = "${local.name}-scheduler"
  description = "EventBridge Scheduler, for the sweep and reconcile"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "scheduler.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnEquals    = { "aws:SourceArn" = aws_scheduler_schedule_group.main.arn }
      }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "schedule"
  role = aws_iam_role.scheduler.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "StartTheWorker", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = local.function_arns.worker },
      { Sid = "LeaveDeadLetters", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = aws_sqs_queue.schedule_dead_letters.arn },
    ]
  })
}
