# The way to a payment provider on the internet. Off unless var.nat_gateways says otherwise; the database's subnets have
# no route to it. Only the worker, which alone talks to the provider, may use it; without interface endpoints all three
# functions have to, since AWS's services are then reached by it too.

locals {
  nat_zones    = { for letter, zone in local.zones : letter => zone if zone.index < var.nat_gateways }
  nat_of_zone  = var.nat_gateways == 0 ? {} : { for letter, zone in local.zones : letter => local.zone_letters[min(zone.index, var.nat_gateways - 1)] }
  nat_function = var.nat_gateways == 0 ? [] : length(local.endpoint_zones) == 0 ? keys(local.functions) : ["worker"]
}

resource "aws_internet_gateway" "main" {
  count = var.nat_gateways > 0 ? 1 : 0

  vpc_id = aws_vpc.main.id

  tags = { Name = local.name }
}

resource "aws_subnet" "public" {
  for_each = local.nat_zones

  vpc_id                  = aws_vpc.main.id
  availability_zone       = each.value.name
  cidr_block              = cidrsubnet(var.vpc_cidr, 3, 4 + each.value.index)
  map_public_ip_on_launch = false

  tags = { Name = "${local.name}-public-${each.key}" }
}

resource "aws_route_table" "public" {
  count = var.nat_gateways > 0 ? 1 : 0

  vpc_id = aws_vpc.main.id

  tags = { Name = "${local.name}-public" }
}

resource "aws_route" "public" {
  count = var.nat_gateways > 0 ? 1 : 0

  route_table_id         = aws_route_table.public[0].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.main[0].id
}

resource "aws_route_table_association" "public" {
  for_each = local.nat_zones

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public[0].id
}

resource "aws_eip" "nat" {
  for_each = local.nat_zones

  domain = "vpc"

  tags = { Name = "${local.name}-nat-${each.key}" }
}

resource "aws_nat_gateway" "main" {
  for_each = local.nat_zones

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${local.name}-${each.key}" }

  depends_on = [aws_route.public]
}

resource "aws_route" "function_to_internet" {
  for_each = local.nat_of_zone

  route_table_id         = aws_route_table.function[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main[each.value].id
}

# The one rule with addresses: a provider's are many and change.
resource "aws_vpc_security_group_egress_rule" "function_to_internet" {
  for_each = toset(local.nat_function)

  security_group_id = aws_security_group.function[each.key].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  description       = "By NAT: the payment provider, and AWS's services where they have no endpoints"
}
