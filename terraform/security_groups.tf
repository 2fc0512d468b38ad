# Who may talk to whom, group by group and never by address: functions to the database on 5432, and to the endpoints
# that they use on 443. Nothing else, in or out.

resource "aws_security_group" "function" {
  for_each = local.functions

  name        = "${local.name}-${each.key}"
  description = "The ${each.key} function"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-${each.key}" }
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "The database"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_security_group" "endpoint" {
  for_each = local.endpoint_users

  name        = "${local.name}-endpoint-${each.key}"
  description = "The interface endpoint of ${each.key}"
  vpc_id      = aws_vpc.main.id

  tags = { Name = "${local.name}-endpoint-${each.key}" }
}

locals {
  endpoint_ways = merge([
    for service, users in local.endpoint_users : { for duty in users : "${duty}-${service}" => { duty = duty, service = service } }
  ]...)
}

resource "aws_vpc_security_group_egress_rule" "function_to_database" {
  for_each = local.functions

  security_group_id            = aws_security_group.function[each.key].id
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
  description                  = "PostgreSQL"
}

resource "aws_vpc_security_group_ingress_rule" "database_from_function" {
  for_each = local.functions

  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = aws_security_group.function[each.key].id
  ip_protocol                  = "tcp"
  from_port                    = local.database_port
  to_port                      = local.database_port
  description                  = "PostgreSQL, from the ${each.key} function"
}

resource "aws_vpc_security_group_egress_rule" "function_to_endpoint" {
  for_each = local.endpoint_ways

  security_group_id            = aws_security_group.function[each.value.duty].id
  referenced_security_group_id = aws_security_group.endpoint[each.value.service].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  description                  = "The endpoint of ${each.value.service}"
}

resource "aws_vpc_security_group_ingress_rule" "endpoint_from_function" {
  for_each = local.endpoint_ways

  security_group_id            = aws_security_group.endpoint[each.value.service].id
  referenced_security_group_id = aws_security_group.function[each.value.duty].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  description                  = "The ${each.value.duty} function"
}
