locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition

  # --- The functions. Zappa makes them, and names them <project>-<stage>, with hyphens for underscores ---
  functions = {
    api    = { stage = var.environment, name = local.name, concurrency = var.api_concurrency }
    worker = { stage = "${var.environment}_worker", name = "${local.name}-worker", concurrency = var.worker_concurrency }
    # One that migrates, never two at once.
    migrate = { stage = "${var.environment}_migrate", name = "${local.name}-migrate", concurrency = 1 }
  }
  function_arns = {
    for duty, function in local.functions :
    duty => "arn:${local.partition}:lambda:${var.aws_region}:${local.account_id}:function:${function.name}"
  }

  # timeout_seconds of the worker's stage in zappa_settings.json.
  worker_timeout_seconds     = 300
  visibility_timeout_seconds = 6 * local.worker_timeout_seconds
  # The time of a message under a slow gateway: its lease, in which the gateway is called, and the time to record
  # outcomes. The defaults of PAYMENT_LEASE_SECONDS and RECORDING_SECONDS.
  message_seconds = tonumber(lookup(var.application_settings, "PAYMENT_LEASE_SECONDS", "120")) + 5
  # Of the worker's reserved concurrency: one for the sweep and one for reconcile, so that a full queue can't throttle them.
  queue_concurrency = var.worker_concurrency - 2

  # The gateway that can't do without a secret and a way out.
  stripe_gateway = "payments.gateways.stripe.gateway.StripeGateway"

  # --- Connections ---

  # Each environment of Lambda holds one; the migrating one two, the owner's and the rotated role's.
  function_connections = var.api_concurrency + var.worker_concurrency + 2 * local.functions.migrate.concurrency
  # While a release replaces the functions, the old environments' connections are still open.
  needed_connections = 2 * local.function_connections + local.reserved_connections
  # superuser_reserved_connections, and RDS's own agent.
  reserved_connections = 5

  memory_gib = {
    "db.t4g.micro" = 1, "db.t4g.small" = 2, "db.t4g.medium" = 4, "db.t4g.large" = 8, "db.t4g.xlarge" = 16
    "db.m6g.large" = 8, "db.m6g.xlarge" = 16, "db.m6g.2xlarge" = 32
    "db.m7g.large" = 8, "db.m7g.xlarge" = 16, "db.m7g.2xlarge" = 32
    "db.r6g.large" = 16, "db.r6g.xlarge" = 32
    "db.r7g.large" = 16, "db.r7g.xlarge" = 32
    "db.r8g.large" = 16, "db.r8g.xlarge" = 32
  }
  # Fewer than RDS's own formula gives (memory / 9.5 MB, about 110 for each GiB), which leaves no memory for the queries.
  class_connections = lookup(local.memory_gib, var.database_instance_class, 0) * 80
  max_connections   = coalesce(var.database_max_connections, local.class_connections)

  # --- The database ---

  database_identifier = coalesce(var.database_identifier, local.name)
  database_port       = 5432
  application_role    = "billing_app"
  # What is known when it is there.
  database_address  = aws_db_instance.main.address
  master_secret_arn = aws_db_instance.main.master_user_secret[0].secret_arn
}
