# A role for each function, with what its duty needs. Zappa manages no roles (manage_roles: false).

locals {
  # A function checks its queue when it starts.
  send_actions    = ["sqs:SendMessage", "sqs:GetQueueAttributes"]
  consume_actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"]
  rotate_actions  = ["secretsmanager:DescribeSecret", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"]

  # API Gateway calls the API's function by that function's own role, as Zappa sets it up.
  trusted_services = {
    api     = ["lambda.amazonaws.com", "apigateway.amazonaws.com"]
    worker  = ["lambda.amazonaws.com"]
    migrate = ["lambda.amazonaws.com"]
  }
  readable_secrets = {
    api     = local.application_secret_arns
    worker  = concat(local.application_secret_arns, local.stripe_secret_arns)
    migrate = [aws_secretsmanager_secret.application.arn, aws_secretsmanager_secret.django.arn, local.master_secret_arn]
  }
  queue_statements = {
    api = [
      { Sid = "Send", Effect = "Allow", Action = local.send_actions, Resource = aws_sqs_queue.rebilling.arn },
    ]
    worker = [
      { Sid = "Send", Effect = "Allow", Action = local.send_actions, Resource = aws_sqs_queue.rebilling.arn },
      { Sid = "Consume", Effect = "Allow", Action = local.consume_actions, Resource = aws_sqs_queue.rebilling.arn },
      { Sid = "Redrive", Effect = "Allow", Action = local.consume_actions, Resource = aws_sqs_queue.dead_letters.arn },
      { Sid = "LeaveDeadLetters", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = aws_sqs_queue.schedule_dead_letters.arn },
    ]
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name        = "${local.name}-${each.key}"
  description = "The ${each.key} function"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = local.trusted_services[each.key] }
    }]
  })
}

# The group is there already, with its retention; a function that could make one would make it without.
resource "aws_iam_role_policy" "logs" {
  for_each = local.functions

  name = "logs"
  role = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = "${aws_cloudwatch_log_group.function[each.key].arn}:*"
    }]
  })
}

# Lambda attaches the function to the VPC by the function's role, and these calls know no narrower resource. The denial
# keeps the function's own code from making them.
resource "aws_iam_role_policy" "vpc" {
  for_each = local.functions

  name = "vpc"
  role = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "AttachToVpc", Effect = "Allow", Action = local.vpc_actions, Resource = "*" },
      {
        Sid       = "NotByTheCode"
        Effect    = "Deny"
        Action    = local.vpc_actions
        Resource  = "*"
        Condition = { ArnEquals = { "lambda:SourceFunctionArn" = local.function_arns[each.key] } }
      },
    ]
  })
}

locals {
  vpc_actions = [
    "ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
  ]
}

resource "aws_iam_role_policy" "secrets" {
  for_each = local.functions

  name = "secrets"
  role = aws_iam_role.function[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Read", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = local.readable_secrets[each.key] },
    ]
  })
}

resource "aws_iam_role_policy" "rotation" {
  name = "rotation"
  role = aws_iam_role.function["migrate"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Rotate", Effect = "Allow", Action = local.rotate_actions, Resource = aws_secretsmanager_secret.application.arn },
    ]
  })
}

resource "aws_iam_role_policy" "queue" {
  for_each = local.queue_statements

  name   = "queue"
  role   = aws_iam_role.function[each.key].name
  policy = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy" "api_gateway" {
  name = "api-gateway"
  role = aws_iam_role.function["api"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "CallTheApi", Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = [local.function_arns.api, "${local.function_arns.api}:*"] },
    ]
  })
}
