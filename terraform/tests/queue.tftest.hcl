mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "messages_come_back_until_they_are_dead_letters" {
  assert {
    condition     = aws_sqs_queue.rebilling.visibility_timeout_seconds == 1800
    error_message = "Visibility is 6 times the worker's 300 seconds."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.rebilling.redrive_policy).deadLetterTargetArn == "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling-dlq"
    error_message = "What fails goes to the dead-letter queue."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.rebilling.redrive_policy).maxReceiveCount == 5
    error_message = "A message is delivered 5 times."
  }

  assert {
    condition     = jsondecode(aws_sqs_queue.dead_letters.redrive_allow_policy) == { redrivePermission = "byQueue", sourceQueueArns = ["arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling"] }
    error_message = "Dead letters come from our queue alone."
  }

  assert {
    condition     = aws_sqs_queue.dead_letters.message_retention_seconds == 1209600 && aws_sqs_queue.schedule_dead_letters.message_retention_seconds == 1209600
    error_message = "Dead letters are kept for 14 days."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.rebilling, aws_sqs_queue.dead_letters, aws_sqs_queue.schedule_dead_letters] : queue.sqs_managed_sse_enabled])
    error_message = "Every queue is encrypted."
  }

  assert {
    condition     = alltrue([for queue in [aws_sqs_queue.rebilling, aws_sqs_queue.dead_letters, aws_sqs_queue.schedule_dead_letters] : one(jsondecode(queue.policy).Statement) == { Sid = "RefuseWithoutTls", Effect = "Deny", Principal = "*", Action = "sqs:*", Resource = queue.arn, Condition = { Bool = { "aws:SecureTransport" = "false" } } }])
    error_message = "Every queue refuses what comes without TLS."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.rebilling[0].event_source_arn == "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling" && aws_lambda_event_source_mapping.rebilling[0].function_name == "arn:aws:lambda:us-east-1:123456789012:function:billing-production-worker"
    error_message = "The queue feeds the worker."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.rebilling[0].function_response_types == toset(["ReportBatchItemFailures"])
    error_message = "A bad message comes back alone."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.rebilling[0].scaling_config[0].maximum_concurrency == 8
    error_message = "The queue leaves two of ten workers to the schedules."
  }

  assert {
    condition     = aws_lambda_event_source_mapping.rebilling[0].batch_size == 2
    error_message = "A batch is 2 messages."
  }
}

run "the_worker_may_come_after_itself" {
  assert {
    condition     = aws_lambda_function_recursion_config.worker[0].function_name == "billing-production-worker" && aws_lambda_function_recursion_config.worker[0].recursive_loop == "Allow"
    error_message = "The worker sends leftovers to its own queue, however often."
  }
}

run "a_shorter_lease_lets_more_messages_fit" {
  command = plan

  variables {
    application_settings = { PAYMENT_LEASE_SECONDS = "69" }
    queue_batch_size     = 4
  }

  assert {
    condition     = local.message_seconds == 74
    error_message = "A message takes its lease of 69 seconds, and 5 to record outcomes."
  }
}

run "more_messages_than_fit_are_refused" {
  command = plan

  variables {
    queue_batch_size = 3
  }

  expect_failures = [var.queue_batch_size]
}

run "messages_that_fill_the_whole_time_are_refused" {
  command = plan

  variables {
    application_settings = { PAYMENT_LEASE_SECONDS = "145" }
  }

  expect_failures = [var.queue_batch_size]
}
