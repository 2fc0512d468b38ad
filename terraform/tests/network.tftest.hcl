mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "private_by_default" {
  assert {
    condition     = sort([for subnet in aws_subnet.function : subnet.availability_zone]) == tolist(["us-east-1a", "us-east-1b"])
    error_message = "The functions' subnets stand in two zones."
  }

  assert {
    condition     = aws_db_subnet_group.main.subnet_ids == toset(["subnet-database-a", "subnet-database-b"])
    error_message = "The database stands in its own subnets, one in each zone."
  }

  assert {
    condition     = length(distinct(concat([for subnet in aws_subnet.function : subnet.cidr_block], [for subnet in aws_subnet.database : subnet.cidr_block]))) == 4
    error_message = "No two subnets have the same addresses."
  }

  assert {
    condition     = alltrue([for subnet in concat(values(aws_subnet.function), values(aws_subnet.database)) : !subnet.map_public_ip_on_launch])
    error_message = "Nothing in a private subnet gets a public address."
  }

  assert {
    condition     = aws_route_table_association.function["a"].route_table_id == "rtb-function-a" && aws_route_table_association.database["b"].route_table_id == "rtb-database"
    error_message = "Each tier has its own route tables."
  }

  assert {
    condition     = length(aws_internet_gateway.main) == 0 && length(aws_nat_gateway.main) == 0 && length(aws_route.function_to_internet) == 0 && length(aws_subnet.public) == 0
    error_message = "Without NAT there is no gateway, no route out and no public subnet."
  }

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.function_to_internet) == 0
    error_message = "Without NAT no rule leads out."
  }

  assert {
    condition = alltrue([
      for rule in concat(
        values(aws_vpc_security_group_ingress_rule.database_from_function), values(aws_vpc_security_group_egress_rule.function_to_database),
        values(aws_vpc_security_group_ingress_rule.endpoint_from_function), values(aws_vpc_security_group_egress_rule.function_to_endpoint),
      ) : rule.cidr_ipv4 == null && rule.cidr_ipv6 == null
    ])
    error_message = "No rule names addresses."
  }

  assert {
    condition = { for duty, rule in aws_vpc_security_group_ingress_rule.database_from_function : duty => [rule.security_group_id, rule.referenced_security_group_id, rule.from_port, rule.to_port, rule.ip_protocol] } == {
      for duty in ["api", "worker", "migrate"] : duty => ["sg-database", "sg-${duty}", 5432, 5432, "tcp"]
    }
    error_message = "The database lets in the three functions' groups, on 5432 alone."
  }

  assert {
    condition = { for duty, rule in aws_vpc_security_group_egress_rule.function_to_database : duty => [rule.security_group_id, rule.referenced_security_group_id, rule.from_port, rule.to_port, rule.ip_protocol] } == {
      for duty in ["api", "worker", "migrate"] : duty => ["sg-${duty}", "sg-database", 5432, 5432, "tcp"]
    }
    error_message = "Each function may go to the database's group, on 5432 alone."
  }

  assert {
    condition = toset([for rule in aws_vpc_security_group_ingress_rule.endpoint_from_function : join(" ", [rule.referenced_security_group_id, rule.security_group_id, rule.from_port, rule.to_port])]) == toset([
      "sg-api sg-sqs 443 443", "sg-worker sg-sqs 443 443",
      "sg-api sg-secretsmanager 443 443", "sg-worker sg-secretsmanager 443 443", "sg-migrate sg-secretsmanager 443 443",
    ])
    error_message = "Endpoints let in whom they serve, on 443: the migrating function has no business with the queue."
  }

  assert {
    condition = toset([for rule in aws_vpc_security_group_egress_rule.function_to_endpoint : join(" ", [rule.security_group_id, rule.referenced_security_group_id, rule.from_port, rule.to_port])]) == toset([
      "sg-api sg-sqs 443 443", "sg-worker sg-sqs 443 443",
      "sg-api sg-secretsmanager 443 443", "sg-worker sg-secretsmanager 443 443", "sg-migrate sg-secretsmanager 443 443",
    ])
    error_message = "Functions may go to the endpoints that they use, on 443."
  }

  assert {
    condition     = aws_default_security_group.main.vpc_id == "vpc-main" && length(aws_default_security_group.main.ingress) == 0 && length(aws_default_security_group.main.egress) == 0
    error_message = "The VPC's default group is emptied."
  }

  assert {
    condition = { for service, endpoint in aws_vpc_endpoint.interface : service => [endpoint.service_name, endpoint.vpc_endpoint_type, endpoint.private_dns_enabled] } == {
      sqs            = ["com.amazonaws.us-east-1.sqs", "Interface", true]
      secretsmanager = ["com.amazonaws.us-east-1.secretsmanager", "Interface", true]
    }
    error_message = "SQS and Secrets Manager are reached by interface endpoints under their own names."
  }

  assert {
    condition     = alltrue([for service, endpoint in aws_vpc_endpoint.interface : endpoint.security_group_ids == toset(["sg-${service}"]) && endpoint.subnet_ids == toset(["subnet-function-a"])])
    error_message = "Each endpoint has its own group, and stands in one zone, as the database does."
  }

  assert {
    condition = alltrue([
      for endpoint in [aws_vpc_endpoint.interface["sqs"], aws_vpc_endpoint.interface["secretsmanager"]] : alltrue([
        for statement in jsondecode(endpoint.policy).Statement : length(statement.Condition.ArnEquals["aws:PrincipalArn"]) > 0
      ])
    ])
    error_message = "Endpoints serve our own roles alone."
  }

  assert {
    condition = [for statement in jsondecode(aws_vpc_endpoint.interface["sqs"].policy).Statement : [statement.Sid, statement.Resource]] == [
      ["Send", "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling"],
      ["Redrive", "arn:aws:sqs:us-east-1:123456789012:billing-production-rebilling-dlq"],
    ]
    error_message = "The endpoint of SQS leads to our two queues alone."
  }

  assert {
    condition     = [for statement in jsondecode(aws_vpc_endpoint.interface["secretsmanager"].policy).Statement : statement.Sid if statement.Resource == "*"] == []
    error_message = "The endpoint of Secrets Manager leads to our secrets alone."
  }
}

run "endpoints_in_both_zones_with_multi_az" {
  variables {
    database_multi_az = true
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 2 && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.subnet_ids == toset(["subnet-function-a", "subnet-function-b"])])
    error_message = "Endpoints stand where the database does."
  }
}

run "endpoints_beside_nat_where_wanted" {
  variables {
    nat_gateways   = 1
    endpoint_zones = 1
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 2 && toset(keys(aws_vpc_security_group_egress_rule.function_to_internet)) == toset(["worker"])
    error_message = "With endpoints only the worker, which talks to the provider, goes out."
  }
}

run "zones_as_they_are_named" {
  variables {
    zone_letters = ["c", "a"]
  }

  assert {
    condition     = { for letter, subnet in aws_subnet.database : letter => subnet.availability_zone } == { a = "us-east-1a", c = "us-east-1c" }
    error_message = "Named zones are taken."
  }
}

run "one_nat_gateway_serves_both_zones" {
  variables {
    nat_gateways = 1
  }

  assert {
    condition     = { for letter, route in aws_route.function_to_internet : letter => [route.route_table_id, route.nat_gateway_id] } == { a = ["rtb-function-a", "nat-a"], b = ["rtb-function-b", "nat-a"] }
    error_message = "Both zones go out by the first one's gateway; the database's route table has no way out."
  }

  assert {
    condition     = length(aws_vpc_endpoint.interface) == 0 && length(aws_security_group.endpoint) == 0
    error_message = "With NAT there are no interface endpoints to pay for."
  }

  assert {
    condition     = toset(keys(aws_vpc_security_group_egress_rule.function_to_internet)) == toset(["api", "worker", "migrate"]) && alltrue([for rule in aws_vpc_security_group_egress_rule.function_to_internet : rule.from_port == 443 && rule.to_port == 443])
    error_message = "Without endpoints all three go out, by HTTPS alone."
  }
}

run "two_nat_gateways_serve_a_zone_each" {
  variables {
    nat_gateways = 2
  }

  assert {
    condition     = { for letter, route in aws_route.function_to_internet : letter => route.nat_gateway_id } == { a = "nat-a", b = "nat-b" }
    error_message = "Each zone goes out by its own."
  }
}
