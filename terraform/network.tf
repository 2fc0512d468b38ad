# Those that every account may use: no local zones.
data "aws_availability_zones" "available" {
  state = "available"

  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

# The zones as they were chosen, kept from the first apply on: a zone that AWS adds must not move a subnet.
resource "terraform_data" "zone_letters" {
  input = [for name in slice(sort(data.aws_availability_zones.available.names), 0, 2) : trimprefix(name, var.aws_region)]

  lifecycle {
    ignore_changes = [input]
  }
}

locals {
  zone_letters = coalescelist(var.zone_letters == null ? [] : var.zone_letters, terraform_data.zone_letters.input)
  zones        = { for index, letter in local.zone_letters : letter => { name = "${var.aws_region}${letter}", index = index } }
  # As available as the database, and no more; with a NAT gateway AWS's services are reached by that.
  default_endpoint_zones = var.nat_gateways > 0 ? 0 : var.database_multi_az ? 2 : 1
  endpoint_zones         = slice(local.zone_letters, 0, var.endpoint_zones == null ? local.default_endpoint_zones : var.endpoint_zones)
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
