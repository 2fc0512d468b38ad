# What a month costs when nobody is billed: 730 hours, US dollars, the list prices of us-east-1 of 2026-11-22. docs/costs.md
# says where each price is from.

locals {
  # An hour of one instance of PostgreSQL, in one zone. Of a class that isn't listed no total is known.
  instance_prices = { "db.t4g.micro" = 0.016, "db.t4g.small" = 0.032, "db.t4g.medium" = 0.065, "db.t4g.large" = 0.129 }
  instance_price  = lookup(local.instance_prices, var.database_instance_class, null)
  database_zones  = var.database_multi_az ? 2 : 1
  # Ten alarms and ten metrics an account are free. Eleven metrics of our own are sent in each hour of a month.
  paid_alarms  = max(0, length(local.above_alarms) + length(local.silence_alarms) + 1 - 10)
  paid_metrics = 1

  monthly_cost = {
    endpoints         = 730 * 0.01 * length(local.endpoint_users) * length(local.endpoint_zones)
    nat_gateways      = 730 * (0.045 + 0.005) * var.nat_gateways
    database_instance = local.instance_price == null ? null : 730 * local.instance_price * local.database_zones
    database_storage  = 0.115 * var.database_storage_gib * local.database_zones
    secrets           = 0.40 * (var.create_stripe_secret ? 4 : 3)
    alarms            = 0.10 * local.paid_alarms
    metrics           = 0.30 * local.paid_metrics
  }
}
