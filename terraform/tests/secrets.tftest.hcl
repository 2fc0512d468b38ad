mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "values_are_written_and_never_kept" {
  assert {
    condition     = alltrue([for version in [aws_secretsmanager_secret_version.application, aws_secretsmanager_secret_version.django] : version.secret_string == null && version.secret_string_wo_version == 1])
    error_message = "First values are write-only: no state holds them."
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.application[0].secret_id == "arn:aws:secretsmanager:us-east-1:123456789012:secret:application" && aws_secretsmanager_secret_rotation.application[0].rotation_rules[0].automatically_after_days == 30
    error_message = "The application's password is rotated every 30 days."
  }

  assert {
    condition     = aws_secretsmanager_secret_rotation.application[0].rotation_lambda_arn == "arn:aws:lambda:us-east-1:123456789012:function:billing-production-migrate"
    error_message = "The migrating function rotates it."
  }

  assert {
    condition     = !aws_secretsmanager_secret_rotation.application[0].rotate_immediately
    error_message = "No rotation comes with an apply."
  }

  assert {
    condition     = aws_lambda_permission.rotation[0].principal == "secretsmanager.amazonaws.com" && aws_lambda_permission.rotation[0].source_account == "123456789012" && aws_lambda_permission.rotation[0].function_name == "billing-production-migrate"
    error_message = "Secrets Manager of this account may call it."
  }

  assert {
    condition     = length(aws_secretsmanager_secret.stripe) == 0
    error_message = "No secret is made that nobody reads."
  }
}

run "a_secret_for_stripe_when_asked_for" {
  variables {
    create_stripe_secret = true
  }

  assert {
    condition     = contains(jsondecode(aws_iam_role_policy.secrets["worker"].policy).Statement[0].Resource, "arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe")
    error_message = "The worker may read Stripe's key."
  }

  assert {
    condition     = [for duty, policy in aws_iam_role_policy.secrets : duty if strcontains(policy.policy, "secret:stripe")] == ["worker"]
    error_message = "The worker alone may read Stripe's key."
  }

  assert {
    condition     = [for statement in jsondecode(aws_vpc_endpoint.interface["secretsmanager"].policy).Statement : [statement.Sid, statement.Condition.ArnEquals["aws:PrincipalArn"]] if strcontains(jsonencode(statement.Resource), "secret:stripe")] == [["ReadStripe", ["arn:aws:iam::123456789012:role/billing-production-worker"]]]
    error_message = "The endpoint leads to it for the worker alone."
  }

  assert {
    condition     = output.zappa_settings.production_worker.aws_environment_variables["STRIPE_SECRET_ARN"] == "arn:aws:secretsmanager:us-east-1:123456789012:secret:stripe"
    error_message = "The worker has its ARN."
  }

  assert {
    condition     = [for stage, settings in output.zappa_settings : stage if contains(keys(settings.aws_environment_variables), "STRIPE_SECRET_ARN")] == ["production_worker"]
    error_message = "The worker alone has its ARN."
  }
}

run "stripe_with_its_secret_and_a_way_out" {
  command = plan

  variables {
    payment_gateway      = "payments.gateways.stripe.gateway.StripeGateway"
    create_stripe_secret = true
    nat_gateways         = 1
  }

  assert {
    condition     = var.payment_gateway == local.stripe_gateway && length(aws_secretsmanager_secret.stripe) == 1
    error_message = "Stripe with all that it needs is taken."
  }
}

# Both at once, since nothing runs after a refusal that is missing.
run "stripe_with_nothing_that_it_needs_is_refused" {
  command = plan

  variables {
    payment_gateway = "payments.gateways.stripe.gateway.StripeGateway"
  }

  expect_failures = [var.create_stripe_secret, var.nat_gateways]
}

run "stripe_without_its_secret_is_refused" {
  command = plan

  variables {
    payment_gateway = "payments.gateways.stripe.gateway.StripeGateway"
    nat_gateways    = 1
  }

  expect_failures = [var.create_stripe_secret]
}

run "stripe_without_a_way_out_is_refused" {
  command = plan

  variables {
    payment_gateway      = "payments.gateways.stripe.gateway.StripeGateway"
    create_stripe_secret = true
  }

  expect_failures = [var.nat_gateways]
}
