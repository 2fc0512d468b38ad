"""Ways to break the configuration, by the file of `terraform test` that catches them."""

from tests.deploy.terraform.breaks import Break, breaks
from tests.deploy.terraform.broken_database import CONNECTIONS, DATABASE, STATE
from tests.deploy.terraform.broken_network import NETWORK
from tests.deploy.terraform.broken_watching import OBSERVABILITY

_QUEUE = breaks(
    "queue",
    (
        "visibility_timeout_seconds = local.visibility_timeout_seconds",
        "visibility_timeout_seconds = local.worker_timeout_seconds",
        "Visibility is 6 times the worker's 300 seconds.",
    ),
    (
        "deadLetterTargetArn = aws_sqs_queue.dead_letters.arn",
        "deadLetterTargetArn = aws_sqs_queue.schedule_dead_letters.arn",
        "What fails goes to the dead-letter queue.",
    ),
    ("maxReceiveCount     = var.max_receive_count", "maxReceiveCount     = 1", "A message is delivered 5 times."),
    ('redrivePermission = "byQueue"', 'redrivePermission = "allowAll"', "Dead letters come from our queue alone."),
    (
        "name                      = local.queue_names.schedule_dead_letters\n"
        "  message_retention_seconds = 14 * 24 * 3600",
        "name                      = local.queue_names.schedule_dead_letters\n  message_retention_seconds = 3600",
        "Dead letters are kept for 14 days.",
    ),
    (
        "receive_wait_time_seconds  = 20\n  sqs_managed_sse_enabled    = true",
        "receive_wait_time_seconds  = 20\n  sqs_managed_sse_enabled    = false",
        "Every queue is encrypted.",
    ),
    ('Effect    = "Deny"', 'Effect    = "Allow"', "Every queue refuses what comes without TLS."),
    (
        "function_name    = local.function_arns.worker",
        "function_name    = local.function_arns.api",
        "The queue feeds the worker.",
    ),
    (
        'function_response_types = ["ReportBatchItemFailures"]',
        "function_response_types = []",
        "A bad message comes back alone.",
    ),
    (
        "maximum_concurrency = local.queue_concurrency",
        "maximum_concurrency = var.worker_concurrency",
        "The queue leaves two of ten workers to the schedules.",
    ),
    ("batch_size       = var.queue_batch_size", "batch_size       = 10", "A batch is 2 messages."),
    (
        'recursive_loop = "Allow"',
        'recursive_loop = "Terminate"',
        "The worker sends leftovers to its own queue, however often.",
    ),
)

_BATCH = [
    *breaks(
        "variables_capacity",
        (
            "var.queue_batch_size * local.message_seconds < local.worker_timeout_seconds",
            "var.queue_batch_size * local.message_seconds < local.visibility_timeout_seconds",
            "The checkable object, var.queue_batch_size, was expected to report an error but did not.",
        ),
    ),
    *breaks(
        "locals",
        (
            'tonumber(lookup(var.application_settings, "PAYMENT_LEASE_SECONDS", "120")) + 5',
            "120 + 5",
            "A message takes its lease of 69 seconds, and 5 to record outcomes.",
        ),
    ),
]

_SCHEDULE = breaks(
    "schedule",
    ('expression  = "cron(20 * * * ? *)"', 'expression  = "rate(1 day)"', "The sweep is daily, reconcile hourly."),
    (
        "${tonumber(local.sweep_clock[0])} * * ? *)",
        "4 * * ? *)",
        "In UTC and its like a sweep may start at night.",
    ),
    (
        "schedule_expression_timezone = var.billing_time_zone",
        'schedule_expression_timezone = "UTC"',
        "Schedules go by the billing time zone.",
    ),
    (
        'mode = "OFF"',
        'mode                      = "FLEXIBLE"\n    maximum_window_in_minutes = 60',
        "Schedules start on time.",
    ),
    (
        '"{\\"command\\": \\"${each.key}\\", \\"time\\": \\"<aws.scheduler.scheduled-time>\\"}"',
        'jsonencode({ command = each.key, time = "<aws.scheduler.scheduled-time>" })',
        "The worker gets the schedule's own time, unescaped.",
    ),
    ("arn      = local.function_arns.worker", "arn      = local.function_arns.api", "Schedules start the worker."),
    (
        "role_arn = aws_iam_role.scheduler.arn",
        'role_arn = aws_iam_role.function["worker"].arn',
        "Schedules have a role of their own.",
    ),
    (
        "maximum_retry_attempts       = each.value.retries",
        "maximum_retry_attempts       = 0",
        "A sweep is tried for six hours, a reconcile until the next.",
    ),
    (
        "      arn = aws_sqs_queue.schedule_dead_letters.arn",
        "      arn = aws_sqs_queue.dead_letters.arn",
        "What can't be started is kept.",
    ),
    (
        "destination = aws_sqs_queue.schedule_dead_letters.arn",
        "destination = aws_sns_topic.alarms.arn",
        "What the worker fails at is kept too.",
    ),
    (
        'Action = ["lambda:InvokeFunction"], Resource = local.function_arns.worker',
        'Action = ["lambda:InvokeFunction"], Resource = "*"',
        "Scheduler may start the worker and leave dead letters, and nothing more.",
    ),
    (
        '"aws:SourceArn" = aws_scheduler_schedule_group.main.arn',
        '"aws:SourceArn" = "*"',
        "Only our group of schedules takes the role.",
    ),
)

_ROLES = breaks(
    "function_role",
    (
        'worker  = ["lambda.amazonaws.com"]',
        'worker  = ["lambda.amazonaws.com", "ec2.amazonaws.com"]',
        "Lambda takes the roles, and API Gateway the API's.",
    ),
    (
        '["logs:CreateLogStream", "logs:PutLogEvents"]',
        '["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]',
        "Each writes to its own log group, and makes none.",
    ),
    (
        "api     = local.application_secret_arns",
        "api     = concat(local.application_secret_arns, [local.master_secret_arn])",
        "The API reads the application's secrets, never the owner's.",
    ),
    (
        "worker  = concat(local.application_secret_arns, local.stripe_secret_arns)",
        'worker  = ["*"]',
        "The worker reads the application's secrets, never the owner's.",
    ),
    (
        "aws_secretsmanager_secret.django.arn, local.master_secret_arn]",
        "aws_secretsmanager_secret.django.arn]",
        "The migrating function reads the owner's secret too.",
    ),
    (
        'Action = ["secretsmanager:GetSecretValue"]',
        'Action = ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]',
        "Secrets are read and not written.",
    ),
    (
        "Action = local.rotate_actions, Resource = aws_secretsmanager_secret.application.arn",
        "Action = local.rotate_actions, Resource = aws_secretsmanager_secret.django.arn",
        "Only the migrating function rotates, and only the application's secret.",
    ),
    (
        '    api = [\n      { Sid = "Send", Effect = "Allow", Action = local.send_actions',
        '    api = [\n      { Sid = "Send", Effect = "Allow", Action = local.consume_actions',
        "The API sends to the queue and takes nothing off it.",
    ),
    (
        "  queue_statements = {\n",
        "  queue_statements = {\n"
        '    migrate = [{ Sid = "Send", Effect = "Allow", Action = local.send_actions, Resource = "*" }]\n',
        "The migrating function has no business with queues.",
    ),
    (
        "Action = local.consume_actions, Resource = aws_sqs_queue.dead_letters.arn",
        "Action = local.consume_actions, Resource = aws_sqs_queue.schedule_dead_letters.arn",
        "The worker sends and consumes, and redrives dead letters.",
    ),
    (
        'Resource = [local.function_arns.api, "${local.function_arns.api}:*"]',
        "Resource = values(local.function_arns)",
        "API Gateway calls the API and no other function.",
    ),
    (
        '        Effect    = "Deny"\n        Action    = local.vpc_actions',
        '        Effect    = "Deny"\n        Action    = ["ec2:DescribeSubnets"]',
        "Lambda attaches the functions to the VPC; their own code can't.",
    ),
    ('"ec2:AssignPrivateIpAddresses",', '"ec2:*Address*",', "No action is a pattern."),
)

_STRIPE = [
    *breaks(
        "function_role",
        (
            "api     = local.application_secret_arns",
            "api     = concat(local.application_secret_arns, local.stripe_secret_arns)",
            "The worker alone may read Stripe's key.",
        ),
        (
            "worker  = concat(local.application_secret_arns, local.stripe_secret_arns)",
            "worker  = local.application_secret_arns",
            "The worker may read Stripe's key.",
        ),
    ),
    *breaks(
        "endpoints",
        (
            "Resource  = arn\n          Condition = "
            '{ ArnEquals = { "aws:PrincipalArn" = [aws_iam_role.function["worker"].arn] } }',
            "Resource  = arn\n          Condition = "
            '{ ArnEquals = { "aws:PrincipalArn" = [aws_iam_role.function["api"].arn] } }',
            "The endpoint leads to it for the worker alone.",
        ),
    ),
    *breaks(
        "locals",
        (
            'stripe_gateway = "payments.gateways.stripe.gateway.StripeGateway"',
            'stripe_gateway = "payments.gateways.stripe.StripeGateway"',
            "Stripe with all that it needs is taken.",
        ),
    ),
    *breaks(
        "outputs",
        (
            "api = local.application_variables",
            "api = merge(local.application_variables, { STRIPE_SECRET_ARN = one(local.stripe_secret_arns) })",
            "The worker alone has its ARN.",
        ),
        (
            "STRIPE_SECRET_ARN = aws_secretsmanager_secret.stripe[0].arn",
            "STRIPE_SECRET_ARN = aws_secretsmanager_secret.django.arn",
            "The worker has its ARN.",
        ),
    ),
    *breaks(
        "variables",
        (
            "var.create_stripe_secret || var.payment_gateway != local.stripe_gateway",
            "var.create_stripe_secret || var.payment_gateway != null",
            "The checkable object, var.create_stripe_secret, was expected to report an error but did not.",
        ),
    ),
    *breaks(
        "variables_network",
        (
            "var.nat_gateways > 0 || var.payment_gateway != local.stripe_gateway",
            "var.nat_gateways >= 0",
            "The checkable object, var.nat_gateways, was expected to report an error but did not.",
        ),
    ),
]

_SECRETS = breaks(
    "secrets",
    (
        'jsonencode({ SECRET_KEY = sha256("${uuid()}${uuid()}") })\n'
        "  secret_string_wo_version = var.secret_values_version",
        'null\n  secret_string = jsonencode({ SECRET_KEY = "in the state" })',
        "First values are write-only: no state holds them.",
    ),
    (
        "automatically_after_days = var.rotation_days",
        "automatically_after_days = 365",
        "The application's password is rotated every 30 days.",
    ),
    (
        "rotation_lambda_arn = local.function_arns.migrate",
        "rotation_lambda_arn = local.function_arns.api",
        "The migrating function rotates it.",
    ),
    ("rotate_immediately = false", "rotate_immediately = true", "No rotation comes with an apply."),
    (
        'principal      = "secretsmanager.amazonaws.com"',
        'principal      = "*"',
        "Secrets Manager of this account may call it.",
    ),
    (
        "count = var.create_stripe_secret ? 1 : 0",
        "count = 1",
        "No secret is made that nobody reads.",
    ),
)

_OUTPUTS = [
    *breaks(
        "outputs",
        # What the functions' own settings were is broken below: nothing else asks for the function here.
        (
            "for duty, function in local.functions : function.stage => {",
            'for stage, duty in { production = "api", production_worker = "worker", production_migrate = "migrate", '
            'production_again = "api" } : stage => {',
            "The stages are those of zappa_settings.json.",
        ),
        (
            "role_arn           = aws_iam_role.function[duty].arn",
            'role_arn           = aws_iam_role.function["api"].arn',
            "Each stage has its role.",
        ),
        (
            "SecurityGroupIds = [aws_security_group.function[duty].id]",
            "SecurityGroupIds = [aws_security_group.database.id]",
            "Each stage stands in the private subnets, in its own group.",
        ),
        (
            "lambda_concurrency = var.reserve_concurrency ? function.concurrency : null",
            "lambda_concurrency = 1",
            "Each stage has its concurrency.",
            "No concurrency is reserved where none can be.",
        ),
        (
            'tags                      = { Project = var.project, Environment = var.environment, ManagedBy = "zappa" }',
            "tags                      = { Project = var.project }",
            "Each function is tagged with its environment.",
        ),
        (
            "s3_bucket          = aws_s3_bucket.package.bucket",
            's3_bucket          = "another"',
            "All are in one region and use one bucket.",
        ),
        (
            "api = local.application_variables",
            "api = merge(local.application_variables, { SECRET_KEY = uuid() })",
            "The API's variables.",
        ),
        (
            "worker = merge(\n      local.application_variables,",
            "worker = merge(\n      { DATABASE_SECRET_ARN = local.master_secret_arn },",
            "The worker's variables.",
        ),
        (
            "DATABASE_APPLICATION_SECRET_ARN = aws_secretsmanager_secret.application.arn",
            "DATABASE_APPLICATION_SECRET_ARN = aws_secretsmanager_secret.django.arn",
            "The migrating function's variables.",
        ),
        (
            "{ for duty, function in local.functions : duty => function.name }",
            "{ for duty, function in local.functions : duty => function.stage }",
            "Functions are named as Zappa names them.",
        ),
        (
            "merge(var.application_settings, local.common_variables, ",
            "merge(local.common_variables, var.application_settings, ",
            "Further settings are passed on, and change none of Terraform's.",
        ),
        (
            'DATABASE_SSLROOTCERT = "/var/task/certificates/rds.pem"',
            'DATABASE_SSLROOTCERT = "certificates/rds.pem", DATABASE_SSLMODE = "verify-ca"',
            "Every function verifies the database by the package's bundle.",
            "No mode is named that could verify less.",
        ),
    ),
    *breaks(
        "observability",
        (
            'resource "aws_cloudwatch_log_group" "function" {\n  for_each = local.functions',
            'resource "aws_cloudwatch_log_group" "function" {\n'
            '  for_each = merge(local.functions, { again = { name = "billing-again" } })',
            "Log groups and roles come first.",
        ),
    ),
    *breaks(
        "storage",
        (
            "block_public_policy     = true",
            "block_public_policy     = false",
            "The bucket of packages is never public.",
        ),
    ),
    *breaks(
        "schedule",
        (
            "for_each = var.functions_deployed ? local.schedules : {}",
            "for_each = local.schedules",
            "On the first apply nothing is connected to a function.",
        ),
    ),
    *breaks(
        "secrets",
        (
            'resource "aws_lambda_permission" "rotation" {\n  count = var.functions_deployed ? 1 : 0',
            'resource "aws_lambda_permission" "rotation" {\n  count = 1',
            "On the first apply nothing is rotated.",
        ),
    ),
    *breaks(
        "costs",
        ("730 * 0.01 * length", "730 * 0.02 * length", "What it costs by default."),
        ("var.create_stripe_secret ? 4 : 3", "3", "What it costs with Stripe."),
    ),
    *breaks(
        "domain",
        (
            'resource "aws_api_gateway_domain_name" "api" {\n  for_each = toset(var.domain_name[*])',
            'resource "aws_api_gateway_domain_name" "api" {\n'
            '  for_each = toset([coalesce(var.domain_name, "a.example.com")])',
            "Without a domain nothing is made for one.",
        ),
        (
            '[".execute-api.${var.aws_region}.amazonaws.com"]',
            '["localhost"]',
            "Without a host name any API's of the region is one.",
        ),
        (
            "concat(var.domain_name[*], var.allowed_hosts)",
            "concat([], var.allowed_hosts)",
            "The functions answer to it.",
        ),
        (
            "name    = var.domain_name\n",
            'name    = "www.${var.domain_name}"\n',
            "Its certificate and its record are made in the zone.",
        ),
        (
            "stage_name  = local.functions.api.stage",
            'stage_name  = "prod"',
            "It leads to the stage that Zappa makes.",
        ),
        (
            "var.domain_name == null || !var.functions_deployed ? toset([]) : toset([var.domain_name])",
            "toset(var.domain_name[*])",
            "On the first apply no host name leads anywhere.",
        ),
        (
            "var.hosted_zone_id == null ? var.certificate_arn :",
            'var.hosted_zone_id == null ? "arn:aws:acm:us-east-1:123456789012:certificate/b" :',
            "Without a zone the certificate is the one that was named, and no record is made.",
        ),
    ),
    *breaks(
        "alarms_silence",
        (
            "for_each = var.functions_deployed ? local.silence_alarms : {}",
            "for_each = local.silence_alarms",
            "Before there are schedules silence is right.",
        ),
    ),
]

_CI = breaks(
    "ci",
    (
        "repo:${var.github_repository}:pull_request",
        "repo:${var.github_repository}:*",
        "A pull request may plan, and what is approved may deploy.",
    ),
    (
        '"ec2:DescribeAvailabilityZones", "apigateway:GET"',
        '"secretsmanager:GetSecretValue"',
        "A plan on a pull request reads, and reads no secret.",
    ),
    (
        '"iam:GetOpenIDConnectProvider"',
        '"iam:PutRolePolicy"',
        "A workflow gives no role more than it has.",
    ),
    ('"rds:DeleteDBInstance", ', "", "A workflow never deletes the database."),
    (
        "ci_repositories = toset(var.github_repository[*])",
        'ci_repositories = toset([coalesce(var.github_repository, "a/b")])',
        "Without a repository there is nothing for one.",
    ),
)

BROKEN: dict[str, list[Break]] = {
    "ci": _CI,
    "connections": CONNECTIONS,
    "database": DATABASE,
    "function_role": _ROLES,
    "network": NETWORK,
    "observability": OBSERVABILITY,
    "outputs": _OUTPUTS,
    "queue": [*_QUEUE, *_BATCH],
    "schedule": _SCHEDULE,
    "secrets": [*_SECRETS, *_STRIPE],
    "state": STATE,
}
