mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "at_any_time_where_clocks_do_not_change" {
  command = plan

  variables {
    billing_time_zone = "Etc/GMT-3"
    sweep_time        = "00:30"
  }

  assert {
    condition     = aws_scheduler_schedule.main["sweep"].schedule_expression == "cron(30 0 * * ? *)"
    error_message = "In UTC and its like a sweep may start at night."
  }
}

run "by_the_billing_time_zone" {
  variables {
    billing_time_zone = "Europe/Berlin"
    sweep_time        = "04:05"
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.main : name => schedule.schedule_expression } == { sweep = "cron(5 4 * * ? *)", reconcile = "cron(20 * * * ? *)" }
    error_message = "The sweep is daily, reconcile hourly."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.main : schedule.schedule_expression_timezone == "Europe/Berlin"])
    error_message = "Schedules go by the billing time zone."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.main : schedule.flexible_time_window[0].mode == "OFF"])
    error_message = "Schedules start on time."
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.main : name => schedule.target[0].input } == { for name in ["sweep", "reconcile"] : name => "{\"command\": \"${name}\", \"time\": \"<aws.scheduler.scheduled-time>\"}" }
    error_message = "The worker gets the schedule's own time, unescaped."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.main : schedule.target[0].arn == "arn:aws:lambda:us-east-1:123456789012:function:billing-production-worker"])
    error_message = "Schedules start the worker."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.main : schedule.target[0].role_arn == "arn:aws:iam::123456789012:role/billing-production-scheduler"])
    error_message = "Schedules have a role of their own."
  }

  assert {
    condition     = { for name, schedule in aws_scheduler_schedule.main : name => [schedule.target[0].retry_policy[0].maximum_event_age_in_seconds, schedule.target[0].retry_policy[0].maximum_retry_attempts] } == { sweep = [21600, 60], reconcile = [1800, 10] }
    error_message = "A sweep is tried for six hours, a reconcile until the next."
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.main : schedule.target[0].dead_letter_config[0].arn == "arn:aws:sqs:us-east-1:123456789012:billing-production-schedule-dlq"])
    error_message = "What can't be started is kept."
  }

  assert {
    condition     = aws_lambda_function_event_invoke_config.worker[0].function_name == "billing-production-worker" && aws_lambda_function_event_invoke_config.worker[0].destination_config[0].on_failure[0].destination == "arn:aws:sqs:us-east-1:123456789012:billing-production-schedule-dlq"
    error_message = "What the worker fails at is kept too."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.scheduler.policy).Statement : [statement.Action, statement.Resource]] == [[["lambda:InvokeFunction"], "arn:aws:lambda:us-east-1:123456789012:function:billing-production-worker"], [["sqs:SendMessage"], "arn:aws:sqs:us-east-1:123456789012:billing-production-schedule-dlq"]]
    error_message = "Scheduler may start the worker and leave dead letters, and nothing more."
  }

  assert {
    condition     = jsondecode(aws_iam_role.scheduler.assume_role_policy).Statement[0].Principal.Service == "scheduler.amazonaws.com" && jsondecode(aws_iam_role.scheduler.assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:scheduler:us-east-1:123456789012:schedule-group/billing-production"
    error_message = "Only our group of schedules takes the role."
  }
}
