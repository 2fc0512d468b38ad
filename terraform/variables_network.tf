variable "vpc_cidr" {
  description = "Addresses of the VPC. It is cut into eight parts, of which six are used: in each of two zones the functions', the database's and, for NAT, a public one."
  type        = string
  default     = "10.20.0.0/16"

  validation {
    condition     = can(cidrhost(var.vpc_cidr, 0)) && try(tonumber(split("/", var.vpc_cidr)[1]), 0) >= 16 && try(tonumber(split("/", var.vpc_cidr)[1]), 99) <= 22
    error_message = "A network of /16 to /22, such as 10.20.0.0/16."
  }
}

variable "zone_letters" {
  description = "The two availability zones, by the letter that follows the region's name. Null: the first two of the region's own list, as it was at the first apply."
  type        = list(string)
  default     = null

  validation {
    condition     = var.zone_letters == null || try(length(var.zone_letters) == 2 && length(distinct(var.zone_letters)) == 2 && alltrue([for letter in var.zone_letters : can(regex("^[a-z]$", letter))]), false)
    error_message = "Two different letters."
  }
}

variable "endpoint_zones" {
  description = "In how many zones the interface endpoints stand, at about 14.60 USD a month for each zone (us-east-1). Null: in as many as the database, so 1, or 2 with database_multi_az; and with a NAT gateway in none, as the way to SQS and Secrets Manager leads by it. 0 needs a NAT gateway."
  type        = number
  default     = null

  validation {
    condition     = var.endpoint_zones == null || try(contains([0, 1, 2], var.endpoint_zones), false)
    error_message = "0, 1 or 2."
  }

  validation {
    condition     = var.endpoint_zones != 0 || var.nat_gateways > 0
    error_message = "Without endpoints the functions reach SQS and Secrets Manager by a NAT gateway alone: set nat_gateways."
  }
}

variable "nat_gateways" {
  description = "NAT gateways, for a payment provider on the internet: about 36.50 USD a month each with its address (us-east-1), and 0.045 USD for each GB through it. 0: the functions can't reach the internet at all. 1: both zones by one. 2: one in each zone."
  type        = number
  default     = 0

  validation {
    condition     = contains([0, 1, 2], var.nat_gateways)
    error_message = "0, 1 or 2."
  }

  validation {
    condition     = var.nat_gateways > 0 || var.payment_gateway != local.stripe_gateway
    error_message = "payment_gateway is Stripe's, and Stripe is on the internet: set nat_gateways to 1 or 2."
  }
}
