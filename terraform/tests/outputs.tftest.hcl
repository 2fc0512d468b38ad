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
    condition     = alltrue([for settings in output.zappa_settings : settings.tags == { Project = "billing", Environment = "production", ManagedBy = "zappa" }])
    error_message = "Each function is tagged with its environment."
  }

  assert {
    condition     = format("%.2f", output.monthly_cost.total) == "42.76"
    error_message = "What it costs by default."
  }

  assert {
    condition     = output.api_domain == null && length(data.aws_api_gateway_rest_api.zappas) == 0
    error_message = "Without a domain nothing is made for one."
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

run "with_stripe" {
  variables {
    payment_gateway      = "payments.gateways.stripe.gateway.StripeGateway"
    create_stripe_secret = true
    nat_gateways         = 1
  }

  assert {
    condition     = format("%.2f", output.monthly_cost.total) == "65.06"
    error_message = "What it costs with Stripe."
  }
}

run "a_new_account_reserves_nothing" {
  variables {
    reserve_concurrency = false
    allowed_hosts       = []
  }

  assert {
    condition     = [for settings in output.zappa_settings : settings.lambda_concurrency if settings.lambda_concurrency != null] == []
    error_message = "No concurrency is reserved where none can be."
  }

  assert {
    condition     = output.zappa_settings.production.aws_environment_variables.ALLOWED_HOSTS == ".execute-api.us-east-1.amazonaws.com"
    error_message = "Without a host name any API's of the region is one."
  }
}

run "a_host_name_in_a_zone_of_route_53" {
  variables {
    domain_name    = "billing.example.com"
    hosted_zone_id = "Z0123456789ABC"
    allowed_hosts  = []
  }

  assert {
    condition     = aws_acm_certificate.api["Z0123456789ABC"].validation_method == "DNS" && aws_route53_record.api["Z0123456789ABC"].name == "billing.example.com" && aws_route53_record.api["Z0123456789ABC"].zone_id == "Z0123456789ABC"
    error_message = "Its certificate and its record are made in the zone."
  }

  assert {
    condition     = aws_api_gateway_base_path_mapping.api["billing.example.com"].stage_name == "production" && one(data.aws_api_gateway_rest_api.zappas["billing.example.com"][*].name) == "billing-production"
    error_message = "It leads to the stage that Zappa makes."
  }

  assert {
    condition     = output.zappa_settings.production.aws_environment_variables.ALLOWED_HOSTS == "billing.example.com"
    error_message = "The functions answer to it."
  }
}

run "a_host_name_with_a_certificate_of_its_own" {
  variables {
    domain_name     = "billing.example.com"
    certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/a"
  }

  assert {
    condition     = length(aws_route53_record.api) == 0 && aws_api_gateway_domain_name.api["billing.example.com"].regional_certificate_arn == "arn:aws:acm:us-east-1:123456789012:certificate/a"
    error_message = "Without a zone the certificate is the one that was named, and no record is made."
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
    domain_name        = "billing.example.com"
    certificate_arn    = "arn:aws:acm:us-east-1:123456789012:certificate/a"
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
    condition     = length(aws_api_gateway_base_path_mapping.api) == 0
    error_message = "On the first apply no host name leads anywhere."
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
