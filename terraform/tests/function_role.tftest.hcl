mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "each_function_may_do_its_duty_and_no_more" {
  assert {
    condition     = { for duty, role in aws_iam_role.function : duty => jsondecode(role.assume_role_policy).Statement[0].Principal.Service } == { api = ["lambda.amazonaws.com", "apigateway.amazonaws.com"], worker = ["lambda.amazonaws.com"], migrate = ["lambda.amazonaws.com"] }
    error_message = "Lambda takes the roles, and API Gateway the API's."
  }

  assert {
    condition     = { for duty, policy in aws_iam_role_policy.logs : duty => jsondecode(policy.policy).Statement } == { for duty in ["api", "worker", "migrate"] : duty => [{ Sid = "WriteLogs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = "arn:aws:logs:us-east-1:123456789012:log-group:${duty}:*" }] }
    error_message = "Each writes to its own log group, and makes none."
  }

  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.secrets["api"].policy).Statement[0].Resource) == toset([for name in ["application", "django"] : "arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}"])
    error_message = "The API reads the application's secrets, never the owner's."
  }

  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.secrets["worker"].policy).Statement[0].Resource) == toset([for name in ["application", "django"] : "arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}"])
    error_message = "The worker reads the application's secrets, never the owner's."
  }

  assert {
    condition     = toset(jsondecode(aws_iam_role_policy.secrets["migrate"].policy).Statement[0].Resource) == toset([for name in ["application", "django", "master"] : "arn:aws:secretsmanager:us-east-1:123456789012:secret:${name}"])
    error_message = "The migrating function reads the owner's secret too."
  }

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.secrets : length(jsondecode(policy.policy).Statement) == 1 && jsondecode(policy.policy).Statement[0].Action == ["secretsmanager:GetSecretValue"]])
    error_message = "Secrets are read and not written."
  }

  assert {
    condition     = aws_iam_role_policy.rotation.role == aws_iam_role.function["migrate"].name && [for statement in jsondecode(aws_iam_role_policy.rotation.policy).Statement : [statement.Action, statement.Resource]] == [[["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"], "arn:aws:secretsmanager:us-east-1:123456789012:secret:application"]]
    error_message = "Only the migrating function rotates, and only the application's secret."
  }

  assert {
    condition     = keys(aws_iam_role_policy.queue) == ["api", "worker"]
    error_message = "The migrating function has no business with queues."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.queue["api"].policy).Statement : [statement.Action, statement.Resource]] == [[["sqs:SendMessage", "sqs:GetQueueAttributes"], "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling"]]
    error_message = "The API sends to the queue and takes nothing off it."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.queue["worker"].policy).Statement : "${statement.Sid} ${reverse(split(":", statement.Resource))[0]}"] == ["Send billing-production-rebilling", "Consume billing-production-rebilling", "Redrive billing-production-rebilling-dlq", "LeaveDeadLetters billing-production-schedule-dlq"]
    error_message = "The worker sends and consumes, and redrives dead letters."
  }

  assert {
    condition     = aws_iam_role_policy.api_gateway.role == aws_iam_role.function["api"].name && jsondecode(aws_iam_role_policy.api_gateway.policy).Statement[0].Resource == ["arn:aws:lambda:us-east-1:123456789012:function:billing-production", "arn:aws:lambda:us-east-1:123456789012:function:billing-production:*"]
    error_message = "API Gateway calls the API and no other function."
  }

  assert {
    condition     = { for duty, policy in aws_iam_role_policy.vpc : duty => jsondecode(policy.policy).Statement[1].Condition.ArnEquals["lambda:SourceFunctionArn"] if jsondecode(policy.policy).Statement[1].Effect == "Deny" && jsondecode(policy.policy).Statement[1].Action == jsondecode(policy.policy).Statement[0].Action } == { api = "arn:aws:lambda:us-east-1:123456789012:function:billing-production", worker = "arn:aws:lambda:us-east-1:123456789012:function:billing-production-worker", migrate = "arn:aws:lambda:us-east-1:123456789012:function:billing-production-migrate" }
    error_message = "Lambda attaches the functions to the VPC; their own code can't."
  }

  assert {
    condition     = alltrue([for policy in concat(values(aws_iam_role_policy.logs), values(aws_iam_role_policy.secrets), values(aws_iam_role_policy.queue), values(aws_iam_role_policy.vpc), [aws_iam_role_policy.rotation, aws_iam_role_policy.api_gateway, aws_iam_role_policy.scheduler]) : alltrue([for statement in jsondecode(policy.policy).Statement : alltrue([for action in statement.Action : !strcontains(action, "*")])])])
    error_message = "No action is a pattern."
  }
}
