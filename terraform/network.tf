locals {
  zones          = { for index, letter in var.zone_letters : letter => { name = "${var.aws_region}${letter}", index = index } }
  endpoint_zones = slice(var.zone_letters, 0, var.endpoint_zones)
}

resource "aws_vpc" "main" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true

  tags = { Name = local.name }
}

# The default group lets its members talk to one another: emptied, since nothing is meant to be in it.
resource "aws_default_security_group" "main" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-unused" }
}

# --- Private subnets: the functions' and the endpoints', and the database's, which never have a way out ---

resource "aws_subnet" "function" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.value.name
  cidr_block              = cidrsubnet(var.vpc_cidr, 3, each.value.index)
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-function-${each.key}" }
}

resource "aws_subnet" "database" {
  for_each = local.zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.value.name
  cidr_block              = cidrsubnet(var.vpc_cidr, 3, 2 + each.value.index)
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-database-${each.key}" }
}

resource "aws_route_table" "function" {
  for_each = local.zones

  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-function-${each.key}" }
}

resource "aws_route_table_association" "function" {
  for_each = local.zones

  subnet_id      = aws_subnet.function[each.key].id
  route_table_id = aws_route_table.function[each.key].id
}

resource "aws_route_table" "database" {
  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-database" }
}

resource "aws_route_table_association" "database" {
  for_each = local.zones

  subnet_id      = aws_subnet.database[each.key].id
  route_table_id = aws_route_table.database.id
}
