"""Ways to break subnets, security groups, endpoints and NAT."""

from tests.deploy.terraform.breaks import Break, breaks

NETWORK: list[Break] = [
    *breaks(
        "network",
        (
            'resource "aws_subnet" "function" {\n  for_each = local.zones\n\n'
            "  vpc_id                  = aws_vpc.main.id\n"
            "  availability_zone       = each.value.name",
            'resource "aws_subnet" "function" {\n  for_each = local.zones\n\n'
            "  vpc_id                  = aws_vpc.main.id\n"
            '  availability_zone       = "us-east-1a"',
            "The functions' subnets stand in two zones.",
        ),
        (
            "var.database_multi_az ? 2 : 1",
            "1",
            "Endpoints stand where the database does.",
        ),
        (
            "var.zone_letters == null ? [] : var.zone_letters",
            "[]",
            "Named zones are taken.",
        ),
        (
            "cidrsubnet(var.vpc_cidr, 3, 2 + each.value.index)\n  map_public_ip_on_launch = false",
            "cidrsubnet(var.vpc_cidr, 3, 2 + each.value.index)\n  map_public_ip_on_launch = true",
            "Nothing in a private subnet gets a public address.",
        ),
        (
            "cidrsubnet(var.vpc_cidr, 3, each.value.index)",
            "cidrsubnet(var.vpc_cidr, 3, 0)",
            "No two subnets have the same addresses.",
        ),
        (
            "route_table_id = aws_route_table.database.id",
            'route_table_id = aws_route_table.function["a"].id',
            "Each tier has its own route tables.",
        ),
        (
            'resource "aws_default_security_group" "main" {\n  vpc_id = aws_vpc.main.id\n',
            'resource "aws_default_security_group" "main" {\n  vpc_id = aws_vpc.main.id\n\n  egress {\n'
            '    protocol    = "-1"\n    from_port   = 0\n    to_port     = 0\n    cidr_blocks = ["0.0.0.0/0"]\n  }\n',
            "The VPC's default group is emptied.",
        ),
    ),
    *breaks(
        "database",
        (
            "for subnet in aws_subnet.database : subnet.id",
            "for subnet in aws_subnet.function : subnet.id",
            "The database stands in its own subnets, one in each zone.",
        ),
    ),
    *breaks(
        "security_groups",
        (
            "  security_group_id            = aws_security_group.database.id\n"
            "  referenced_security_group_id = aws_security_group.function[each.key].id\n",
            '  security_group_id            = aws_security_group.database.id\n  cidr_ipv4 = "0.0.0.0/0"\n',
            "The database lets in the three functions' groups, on 5432 alone.",
            "No rule names addresses.",
        ),
        (
            '  referenced_security_group_id = aws_security_group.database.id\n  ip_protocol                  = "tcp"\n'
            "  from_port                    = local.database_port",
            '  referenced_security_group_id = aws_security_group.database.id\n  ip_protocol                  = "tcp"\n'
            "  from_port                    = 0",
            "Each function may go to the database's group, on 5432 alone.",
        ),
        (
            "  referenced_security_group_id = aws_security_group.function[each.value.duty].id\n"
            '  ip_protocol                  = "tcp"\n  from_port                    = 443',
            "  referenced_security_group_id = aws_security_group.function[each.value.duty].id\n"
            '  ip_protocol                  = "tcp"\n  from_port                    = 0',
            "Endpoints let in whom they serve, on 443: the migrating function has no business with the queue.",
        ),
        (
            "  referenced_security_group_id = aws_security_group.endpoint[each.value.service].id\n",
            "  referenced_security_group_id = aws_security_group.database.id\n",
            "Functions may go to the endpoints that they use, on 443.",
        ),
    ),
    *breaks(
        "endpoints",
        (
            "private_dns_enabled = true",
            "private_dns_enabled = false",
            "SQS and Secrets Manager are reached by interface endpoints under their own names.",
        ),
        (
            "security_group_ids  = [aws_security_group.endpoint[each.key].id]",
            "security_group_ids  = [aws_security_group.database.id]",
            "Each endpoint has its own group, and stands in one zone, as the database does.",
        ),
        (
            '{ "aws:PrincipalArn" = [for duty in local.all_endpoint_users.sqs : aws_iam_role.function[duty].arn] }',
            '{ "aws:PrincipalArn" = [] }',
            "Endpoints serve our own roles alone.",
        ),
        (
            "length(local.endpoint_zones) == 0 ? {} : local.all_endpoint_users",
            "local.all_endpoint_users",
            "With NAT there are no interface endpoints to pay for.",
        ),
        (
            "        Action    = local.consume_actions\n        Resource  = aws_sqs_queue.dead_letters.arn",
            '        Action    = local.consume_actions\n        Resource  = "*"',
            "The endpoint of SQS leads to our two queues alone.",
        ),
        (
            "Resource  = concat(local.application_secret_arns, [local.master_secret_arn])",
            'Resource  = "*"',
            "The endpoint of Secrets Manager leads to our secrets alone.",
        ),
    ),
    *breaks(
        "nat",
        (
            'resource "aws_internet_gateway" "main" {\n  count = var.nat_gateways > 0 ? 1 : 0',
            'resource "aws_internet_gateway" "main" {\n  count = 1',
            "Without NAT there is no gateway, no route out and no public subnet.",
        ),
        (
            "route_table_id         = aws_route_table.function[each.key].id",
            "route_table_id         = aws_route_table.database.id",
            "Both zones go out by the first one's gateway; the database's route table has no way out.",
        ),
        (
            "local.zone_letters[min(zone.index, var.nat_gateways - 1)]",
            "local.zone_letters[0]",
            "Each zone goes out by its own.",
        ),
        (
            'var.nat_gateways == 0 ? [] : length(local.endpoint_zones) == 0 ? keys(local.functions) : ["worker"]',
            '["api", "worker"]',
            "Without NAT no rule leads out.",
            "Without endpoints all three go out, by HTTPS alone.",
            "With endpoints only the worker, which talks to the provider, goes out.",
        ),
    ),
]
