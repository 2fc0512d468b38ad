locals {
  common_variables = {
    DJANGO_SETTINGS_MODULE               = "billing_site.settings"
    INSTANTIATE_LAMBDA_HANDLER_ON_IMPORT = "1"
    LOG_LEVEL                            = var.log_level
    DATABASE_HOST                        = local.database_address
    DATABASE_PORT                        = tostring(local.database_port)
    DATABASE_NAME                        = var.database_name
    DATABASE_APPLICATION_ROLE            = local.application_role
    CONN_MAX_AGE                         = tostring(var.conn_max_age_seconds)
    DJANGO_SECRET_ARN                    = aws_secretsmanager_secret.django.arn
    REBILLING_QUEUE_URL                  = aws_sqs_queue.rebilling.url
    REBILLING_DLQ_URL                    = aws_sqs_queue.dead_letters.url
    BILLING_TIME_ZONE                    = var.billing_time_zone
    PAYMENT_GATEWAY                      = var.payment_gateway
    ALLOWED_HOSTS                        = join(",", local.allowed_hosts)
    # A host with a leading dot stands for all below it; Django writes that with a star here.
    CSRF_TRUSTED_ORIGINS = join(",", [for host in local.allowed_hosts : startswith(host, ".") ? "https://*${host}" : "https://${host}"])
  }
  # Where the package has RDS's bundle, unpacked by Lambda. With it the functions verify in full.
  verifying_variables   = var.database_verify_certificate ? { DATABASE_SSLROOTCERT = "/var/task/certificates/rds.pem" } : {}
  application_variables = { DATABASE_SECRET_ARN = aws_secretsmanager_secret.application.arn }
  own_variables = {
    api = local.application_variables
    # It alone calls Stripe.
    worker = merge(
      local.application_variables,
      var.create_stripe_secret ? { STRIPE_SECRET_ARN = aws_secretsmanager_secret.stripe[0].arn } : {},
    )
    migrate = {
      DATABASE_SECRET_ARN             = local.master_secret_arn
      DATABASE_APPLICATION_SECRET_ARN = aws_secretsmanager_secret.application.arn
    }
  }
}

output "zappa_settings" {
  description = "What zappa_settings.json needs to know of all this, stage by stage; `make zappa-settings` puts it there. It holds no secret, only ARNs."
  value = {
    for duty, function in local.functions : function.stage => {
      aws_region         = var.aws_region
      s3_bucket          = aws_s3_bucket.package.bucket
      role_arn           = aws_iam_role.function[duty].arn
      lambda_concurrency = var.reserve_concurrency ? function.concurrency : null
      vpc_config = {
        SubnetIds        = [for letter in local.zone_letters : aws_subnet.function[letter].id]
        SecurityGroupIds = [aws_security_group.function[duty].id]
      }
      tags                      = { Project = var.project, Environment = var.environment, ManagedBy = "zappa" }
      aws_environment_variables = merge(var.application_settings, local.common_variables, local.verifying_variables, local.own_variables[duty], { FUNCTION_DUTY = duty })
    }
  }
}

output "monthly_cost" {
  description = "What a month costs when nobody is billed, in US dollars by the list prices of us-east-1 (docs/costs.md): its parts, and the total."
  value       = merge(local.monthly_cost, { total = local.instance_price == null ? null : sum(values(local.monthly_cost)) })
}

output "api_domain" {
  description = "The API's host name, and what its record has to point at; null without domain_name."
  value       = one([for domain in aws_api_gateway_domain_name.api : { name = domain.domain_name, target = domain.regional_domain_name }])
}

output "function_names" {
  description = "Names of the functions that Zappa makes, by duty."
  value       = { for duty, function in local.functions : duty => function.name }
}

output "database_identifier" {
  description = "Name of the database instance, for snapshots and restores."
  value       = local.database_identifier
}

output "master_secret_arn" {
  description = "ARN of the owner's secret, which RDS manages. Only the migrating function may read it."
  value       = local.master_secret_arn
}

output "application_secret_arn" {
  description = "ARN of the application's database secret, for `aws secretsmanager rotate-secret`."
  value       = aws_secretsmanager_secret.application.arn
}

output "stripe_secret_arn" {
  description = "ARN of the secret to put Stripe's key in; null without create_stripe_secret."
  value       = one(aws_secretsmanager_secret.stripe[*].arn)
}

output "queue_url" {
  description = "URL of the queue of rebillings."
  value       = aws_sqs_queue.rebilling.url
}

output "dead_letter_queue_url" {
  description = "URL of its dead-letter queue."
  value       = aws_sqs_queue.dead_letters.url
}

output "schedule_dead_letter_queue_url" {
  description = "URL of the queue of schedules that failed."
  value       = aws_sqs_queue.schedule_dead_letters.url
}

output "alarm_topic_arn" {
  description = "ARN of the SNS topic that every alarm goes to."
  value       = aws_sns_topic.alarms.arn
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.main.dashboard_name
}

output "database_connections" {
  description = "Connections: what the functions may hold, what is needed while a release goes on, and what the database has."
  value = {
    functions = local.function_connections
    needed    = local.needed_connections
    most      = local.max_connections
  }
}
