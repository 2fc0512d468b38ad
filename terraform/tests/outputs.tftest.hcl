mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "zappas_settings" {
  variables {
    allowed_hosts = ["billing.example.com", ".execute-api.us-east-1.amazonaws.com"]
  }

  assert {
    condition     = keys(output.zappa_settings) == ["production", "production_migrate", "production_worker"]
    error_message = "The stages are those of zappa_settings.json."
  }

  assert {
    condition     = { for stage, settings in output.zappa_settings : stage => settings.role_arn } == { production = "arn:aws:iam::123456789012:role/billing-production-api", production_worker = "arn:aws:iam::123456789012:role/billing-production-worker", production_migrate = "arn:aws:iam::123456789012:role/billing-production-migrate" }
    error_message = "Each stage has its role."
  }

  assert {
    condition     = { for stage, settings in output.zappa_settings : stage => settings.vpc_config } == { production = { SubnetIds = ["subnet-function-a", "subnet-function-b"], SecurityGroupIds = ["sg-api"] }, production_worker = { SubnetIds = ["subnet-function-a", "subnet-function-b"], SecurityGroupIds = ["sg-worker"] }, production_migrate = { SubnetIds = ["subnet-function-a", "subnet-function-b"], SecurityGroupIds = ["sg-migrate"] } }
    error_message = "Each stage stands in the private subnets, in its own group."
  }

  assert {
    condition     = { for stage, settings in output.zappa_settings : stage => settings.lambda_concurrency } == { production = 20, production_worker = 10, production_migrate = 1 }
    error_message = "Each stage has its concurrency."
  }

  assert {
    condition     = alltrue([for settings in output.zappa_settings : settings.aws_region == "us-east-1" && settings.s3_bucket == "billing-production-package-123456789012"])
    error_message = "All are in one region and use one bucket."
  }

  assert {
    condition = output.zappa_settings.production.aws_environment_variables == merge({
      DJANGO_SETTINGS_MODULE               = "billing_site.settings"
      INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT = "1"
      LOG_LEVEL                            = "INFO"
      DATABASE_HOST                        = "billing-production.example.us-east-1.rds.amazonaws.com"
      DATABASE_PORT                        = "5432"
      DATABASE_NAME                        = "billing"
      DATABASE_APPLICATION_ROLE            = "billing_app"
      CONN_MAX_AGE                         = "300"
      DJANGO_SECRET_ARN                    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:django"
      REBILLING_QUEUE_URL                  = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling"
      REBILLING_DLQ_URL                    = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling-dlq"
      BILLING_TIME_ZONE                    = "UTC"
      PAYMENT_GATEWAY                      = "payments.gateways.logging_gateway.LoggingGateway"
      ALLOWED_HOSTS                        = "billing.example.com,.execute-api.us-east-1.amazonaws.com"
      CSRF_TRUSTED_ORIGINS                 = "https://billing.example.com,https://*.execute-api.us-east-1.amazonaws.com"
    }, { FUNCTION_DUTY = "api", DATABASE_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:application" })
    error_message = "The API's variables."
  }

  assert {
    condition = output.zappa_settings.production_worker.aws_environment_variables == merge({
      DJANGO_SETTINGS_MODULE               = "billing_site.settings"
      INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT = "1"
      LOG_LEVEL                            = "INFO"
      DATABASE_HOST                        = "billing-production.example.us-east-1.rds.amazonaws.com"
      DATABASE_PORT                        = "5432"
      DATABASE_NAME                        = "billing"
      DATABASE_APPLICATION_ROLE            = "billing_app"
      CONN_MAX_AGE                         = "300"
      DJANGO_SECRET_ARN                    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:django"
      REBILLING_QUEUE_URL                  = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling"
      REBILLING_DLQ_URL                    = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling-dlq"
      BILLING_TIME_ZONE                    = "UTC"
      PAYMENT_GATEWAY                      = "payments.gateways.logging_gateway.LoggingGateway"
      ALLOWED_HOSTS                        = "billing.example.com,.execute-api.us-east-1.amazonaws.com"
      CSRF_TRUSTED_ORIGINS                 = "https://billing.example.com,https://*.execute-api.us-east-1.amazonaws.com"
    }, { FUNCTION_DUTY = "worker", DATABASE_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:application" })
    error_message = "The worker's variables."
  }

  assert {
    condition = output.zappa_settings.production_migrate.aws_environment_variables == merge({
      DJANGO_SETTINGS_MODULE               = "billing_site.settings"
      INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT = "1"
      LOG_LEVEL                            = "INFO"
      DATABASE_HOST                        = "billing-production.example.us-east-1.rds.amazonaws.com"
      DATABASE_PORT                        = "5432"
      DATABASE_NAME                        = "billing"
      DATABASE_APPLICATION_ROLE            = "billing_app"
      CONN_MAX_AGE                         = "300"
      DJANGO_SECRET_ARN                    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:django"
      REBILLING_QUEUE_URL                  = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling"
      REBILLING_DLQ_URL                    = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling-dlq"
      BILLING_TIME_ZONE                    = "UTC"
      PAYMENT_GATEWAY                      = "payments.gateways.logging_gateway.LoggingGateway"
      ALLOWED_HOSTS                        = "billing.example.com,.execute-api.us-east-1.amazonaws.com"
      CSRF_TRUSTED_ORIGINS                 = "https://billing.example.com,https://*.execute-api.us-east-1.amazonaws.com"
    }, { FUNCTION_DUTY = "migrate", DATABASE_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:master", DATABASE_APPLICATION_SECRET_ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:application" })
    error_message = "The migrating function's variables."
  }

  assert {
    condition     = toset(values(output.function_names)) == toset(["billing-production", "billing-production-worker", "billing-production-migrate"])
    error_message = "Functions are named as Zappa names them."
  }

  assert {
    condition     = aws_s3_bucket_public_access_block.package.block_public_acls && aws_s3_bucket_public_access_block.package.block_public_policy && aws_s3_bucket_public_access_block.package.ignore_public_acls && aws_s3_bucket_public_access_block.package.restrict_public_buckets
    error_message = "The bucket of packages is never public."
  }
}

run "further_settings_reach_every_function" {
  variables {
    application_settings = { VOLUME_CHECK_SMALL_RUN = "80", LOG_LEVEL = "DEBUG" }
  }

  assert {
    condition     = alltrue([for settings in output.zappa_settings : settings.aws_environment_variables["VOLUME_CHECK_SMALL_RUN"] == "80" && settings.aws_environment_variables["LOG_LEVEL"] == "INFO"])
    error_message = "Further settings are passed on, and change none of Terraform's."
  }
}

run "the_database_is_verified_when_asked_for" {
  variables {
    database_verify_certificate = true
  }

  assert {
    condition     = [for settings in output.zappa_settings : settings.aws_environment_variables["DATABASE_SSLROOTCERT"]] == ["/var/task/certificates/rds.pem", "/var/task/certificates/rds.pem", "/var/task/certificates/rds.pem"]
    error_message = "Every function verifies the database by the package's bundle."
  }

  assert {
    condition     = alltrue([for settings in output.zappa_settings : !contains(keys(settings.aws_environment_variables), "DATABASE_SSLMODE")])
    error_message = "No mode is named that could verify less."
  }
}

run "before_the_functions_are_there" {
  variables {
    functions_deployed = false
  }

  assert {
    condition     = length(aws_scheduler_schedule.main) == 0 && length(aws_lambda_event_source_mapping.rebilling) == 0 && length(aws_lambda_function_event_invoke_config.worker) == 0 && length(aws_lambda_function_recursion_config.worker) == 0
    error_message = "On the first apply nothing is connected to a function."
  }

  assert {
    condition     = length(aws_secretsmanager_secret_rotation.application) == 0 && length(aws_lambda_permission.rotation) == 0
    error_message = "On the first apply nothing is rotated."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.silence) == 0
    error_message = "Before there are schedules silence is right."
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.function) == 3 && length(aws_iam_role.function) == 3
    error_message = "Log groups and roles come first."
  }
}
