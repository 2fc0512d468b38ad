mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "what_no_variable_takes" {
  command = plan

  variables {
    environment                  = "Test"
    allowed_hosts                = ["*"]
    aws_account_id               = "12345"
    aws_region                   = "frankfurt"
    project                      = "Billing"
    billing_time_zone            = "CET+1"
    application_settings         = { STRIPE_API_KEY = "" }
    payment_gateway              = "LoggingGateway"
    log_level                    = "DEBUG"
    secret_values_version        = 0
    rotation_days                = 6
    api_concurrency              = 0
    worker_concurrency           = 3
    conn_max_age_seconds         = 600
    max_receive_count            = 4
    alarm_emails                 = ["someone"]
    log_retention_days           = 31
    oldest_message_alarm_seconds = 59
    package_bucket_name          = "Packages"
    vpc_cidr                     = "10.0.0.0/8"
    zone_letters                 = ["a", "a"]
    database_instance_class      = "t4g.small"
    database_engine_version      = "16.4"
    database_max_connections     = 10
    database_storage_gib         = 10
    database_backup_days         = 6
    database_identifier          = "Billing"
    database_name                = "Billing"
    database_owner               = "rdsadmin"
    database_subnet_group_name   = "Group"
    database_snapshot_identifier = "-"
    hosted_zone_id               = "example.com"
    certificate_arn              = "billing.example.com"
    github_repository            = "https://github.com/example/billing"
    github_oidc_provider_arn     = "github"
    import_vpc_id                = "billing"
    import_log_group_duties      = ["sweep"]
    import_dashboard_name        = ""
  }

  expect_failures = [
    var.environment, var.allowed_hosts, var.aws_account_id, var.aws_region, var.project,
    var.application_settings, var.billing_time_zone, var.payment_gateway, var.log_level, var.secret_values_version,
    var.rotation_days, var.api_concurrency, var.worker_concurrency, var.conn_max_age_seconds,
    var.max_receive_count, var.alarm_emails, var.log_retention_days,
    var.oldest_message_alarm_seconds, var.package_bucket_name, var.vpc_cidr,
    var.zone_letters, var.database_instance_class,
    var.database_engine_version, var.database_max_connections, var.database_storage_gib,
    var.database_backup_days, var.database_identifier, var.database_name, var.database_owner,
    var.database_subnet_group_name, var.database_snapshot_identifier, var.import_vpc_id,
    var.hosted_zone_id, var.certificate_arn, var.github_repository, var.github_oidc_provider_arn,
    var.import_log_group_duties, var.import_dashboard_name,
  ]
}

# Those that are held against others: checked only when the others are good.
run "what_does_not_go_together" {
  command = plan

  variables {
    domain_name                       = "billing.example.com"
    conn_max_age_seconds              = 299.5
    billing_time_zone                 = "Europe/Athens"
    sweep_time                        = "03:30"
    nat_gateways                      = 3
    queue_batch_size                  = 0
    database_most_storage_gib         = 21
    import_function_subnet_ids        = { z = "subnet-1" }
    import_database_subnet_ids        = { a = "1" }
    import_database_identifier        = "other"
    import_database_subnet_group_name = "other"
    import_queue_url                  = "https://sqs.us-east-1.amazonaws.com/123456789012/other"
    import_dead_letter_queue_url      = "https://sqs.us-east-1.amazonaws.com/123456789012/other-dlq"
    import_application_secret_arn     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:other-AbCdEf"
    import_package_bucket_name        = "other"
    import_event_source_mapping_uuid  = "u"
    functions_deployed                = false
  }

  expect_failures = [
    var.domain_name, var.conn_max_age_seconds, var.sweep_time, var.nat_gateways, var.queue_batch_size, var.database_most_storage_gib, var.import_function_subnet_ids,
    var.import_database_subnet_ids, var.import_database_identifier, var.import_database_subnet_group_name,
    var.import_queue_url, var.import_dead_letter_queue_url, var.import_application_secret_arn, var.import_package_bucket_name,
    var.import_event_source_mapping_uuid,
  ]
}

run "what_is_no_number_of_zones_and_no_host_name" {
  command = plan

  variables {
    endpoint_zones = 3
    domain_name    = "https://billing.example.com"
  }

  expect_failures = [var.endpoint_zones, var.domain_name]
}

run "no_way_to_the_services_of_aws" {
  command = plan

  variables {
    endpoint_zones = 0
  }

  expect_failures = [var.endpoint_zones]
}
