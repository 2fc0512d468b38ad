# What AWS would answer, where Terraform goes on with it. Each resource has an ARN of its own, so that a test can tell
# one from another.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "123456789012"
  }
}

mock_data "aws_availability_zones" {
  defaults = {
    names = ["us-east-1b", "us-east-1a", "us-east-1c"]
  }
}

mock_data "aws_partition" {
  defaults = {
    partition = "aws"
  }
}

override_resource {
  target = aws_sqs_queue.rebilling
  values = {
    arn = "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling"
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling"
  }
}

override_resource {
  target = aws_sqs_queue.dead_letters
  values = {
    arn = "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling-dlq"
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-rebilling-dlq"
  }
}

override_resource {
  target = aws_sqs_queue.schedule_dead_letters
  values = {
    arn = "arn:aws:sqs:us-east-1:123456789012:billing-production-schedule-dlq"
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/billing-production-schedule-dlq"
  }
}

override_resource {
  target = aws_iam_role.function["api"]
  values = {
    arn = "arn:aws:iam::123456789012:role/billing-production-api"
  }
}

override_resource {
  target = aws_security_group.function["api"]
  values = {
    id = "sg-api"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.function["api"]
  values = {
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:api"
  }
}

override_resource {
  target = aws_iam_role.function["worker"]
  values = {
    arn = "arn:aws:iam::123456789012:role/billing-production-worker"
  }
}

override_resource {
  target = aws_security_group.function["worker"]
  values = {
    id = "sg-worker"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.function["worker"]
  values = {
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:worker"
  }
}

override_resource {
  target = aws_iam_role.function["migrate"]
  values = {
    arn = "arn:aws:iam::123456789012:role/billing-production-migrate"
  }
}

override_resource {
  target = aws_security_group.function["migrate"]
  values = {
    id = "sg-migrate"
  }
}

override_resource {
  target = aws_cloudwatch_log_group.function["migrate"]
  values = {
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:migrate"
  }
}

override_resource {
  target = aws_iam_role.scheduler
  values = {
    arn = "arn:aws:iam::123456789012:role/billing-production-scheduler"
  }
}

override_resource {
  target = aws_security_group.database
  values = {
    id = "sg-database"
  }
}

override_resource {
  target = aws_security_group.endpoint["sqs"]
  values = {
    id = "sg-sqs"
  }
}

override_resource {
  target = aws_security_group.endpoint["secretsmanager"]
  values = {
    id = "sg-secretsmanager"
  }
}

override_resource {
  target = aws_subnet.function["a"]
  values = {
    id = "subnet-function-a"
  }
}

override_resource {
  target = aws_subnet.database["a"]
  values = {
    id = "subnet-database-a"
  }
}

override_resource {
  target = aws_route_table.function["a"]
  values = {
    id = "rtb-function-a"
  }
}

override_resource {
  target = aws_nat_gateway.main["a"]
  values = {
    id = "nat-a"
  }
}

override_resource {
  target = aws_subnet.function["b"]
  values = {
    id = "subnet-function-b"
  }
}

override_resource {
  target = aws_subnet.database["b"]
  values = {
    id = "subnet-database-b"
  }
}

override_resource {
  target = aws_route_table.function["b"]
  values = {
    id = "rtb-function-b"
  }
}

override_resource {
  target = aws_nat_gateway.main["b"]
  values = {
    id = "nat-b"
  }
}

override_resource {
  target = aws_route_table.database
  values = {
    id = "rtb-database"
  }
}

override_resource {
  target = aws_vpc.main
  values = {
    id = "vpc-main"
  }
}

override_resource {
  target = aws_secretsmanager_secret.application
  values = {
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:application"
    id  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:application"
  }
}

override_resource {
  target = aws_secretsmanager_secret.django
  values = {
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:django"
    id  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:django"
  }
}

override_resource {
  target = aws_secretsmanager_secret.stripe[0]
  values = {
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe"
    id  = "arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe"
  }
}

override_resource {
  target = aws_s3_bucket.package
  values = {
    arn = "arn:aws:s3:::billing-production-package"
  }
}

override_resource {
  target = aws_sns_topic.alarms
  values = {
    arn = "arn:aws:sns:us-east-1:123456789012:billing-production-alarms"
  }
}

override_resource {
  target = aws_scheduler_schedule_group.main
  values = {
    arn = "arn:aws:scheduler:us-east-1:123456789012:schedule-group/billing-production"
  }
}

override_resource {
  target = aws_db_instance.main
  values = {
    address            = "billing-production.example.us-east-1.rds.amazonaws.com"
    master_user_secret = [{ secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:master" }]
  }
}

override_resource {
  target = aws_acm_certificate.api["Z0123456789ABC"]
  values = {
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/made"
    domain_validation_options = [{
      domain_name           = "billing.example.com"
      resource_record_name  = "_a.billing.example.com"
      resource_record_type  = "CNAME"
      resource_record_value = "_b.acm-validations.aws"
    }]
  }
}
