mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "the_default_fits" {
  assert {
    condition     = output.database_connections == { functions = 32, needed = 69, most = 160 }
    error_message = "20 of the API, 10 workers and 2 to migrate, twice while a release goes on, and 5 of RDS's own."
  }
}

run "as_many_as_the_class_bears" {
  variables {
    database_instance_class = "db.t4g.micro"
    api_concurrency         = 25
  }

  assert {
    condition     = output.database_connections.needed == 79 && output.database_connections.most == 80
    error_message = "25 of the API just fit into 80."
  }
}

run "a_class_of_unknown_memory_with_its_connections_given" {
  variables {
    database_instance_class  = "db.x9z.large"
    database_max_connections = 200
  }

  assert {
    condition     = output.database_connections.most == 200
    error_message = "What is given counts."
  }
}

run "one_function_more_is_refused" {
  command = plan

  variables {
    database_instance_class = "db.t4g.micro"
    api_concurrency         = 26
  }

  expect_failures = [aws_db_parameter_group.main]
}

run "a_class_of_unknown_memory_is_refused" {
  command = plan

  variables {
    database_instance_class = "db.x9z.large"
  }

  expect_failures = [aws_db_parameter_group.main]
}
