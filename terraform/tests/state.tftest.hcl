mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "the_first_apply_keeps_whose_it_is" {
  assert {
    condition     = terraform_data.environment.output == { name = "billing-production", region = "us-east-1" }
    error_message = "The state knows its environment and its region."
  }
}

run "other_variables_of_the_same_environment_are_taken" {
  command = plan

  variables {
    api_concurrency = 21
  }

  assert {
    condition     = output.zappa_settings.production.lambda_concurrency == 21
    error_message = "Its own variables may change."
  }
}

run "another_region_is_refused" {
  command = plan

  variables {
    aws_region = "eu-central-1"
  }

  expect_failures = [terraform_data.environment]
}

run "another_environment_is_refused" {
  command = plan

  variables {
    environment = "staging"
  }

  expect_failures = [terraform_data.environment]
}

run "another_project_is_refused" {
  command = plan

  variables {
    project = "invoices"
  }

  expect_failures = [terraform_data.environment]
}
