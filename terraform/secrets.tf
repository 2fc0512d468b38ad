# First values are write-only: they go to Secrets Manager, and are in no state and no plan. uuid() is random and known
# only while it is applied; two of them make 244 bits, of which sha256 makes a word of 64 plain characters.

resource "aws_secretsmanager_secret" "application" {
  name                    = "${local.name}/database-application"
  description             = "The application's own database role. Rotated every ${var.rotation_days} days."
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "application" {
  secret_id = aws_secretsmanager_secret.application.id
  secret_string_wo = jsonencode({
    engine   = "postgres"
    username = local.application_role
    password = sha256("${uuid()}${uuid()}")
    host     = local.database_address
    port     = local.database_port
    dbname   = var.database_name
  })
  secret_string_wo_version = var.secret_values_version
}

resource "aws_secretsmanager_secret" "django" {
  name                    = "${local.name}/django"
  description             = "Django's SECRET_KEY, which signs sessions"
  recovery_window_in_days = 7
}

resource "aws_secretsmanager_secret_version" "django" {
  secret_id                = aws_secretsmanager_secret.django.id
  secret_string_wo         = jsonencode({ SECRET_KEY = sha256("${uuid()}${uuid()}") })
  secret_string_wo_version = var.secret_values_version
}

resource "aws_secretsmanager_secret" "stripe" {
  count = var.create_stripe_secret ? 1 : 0

  name                    = "${local.name}/stripe"
  description             = "Stripe's key, put in by hand: {\"STRIPE_API_KEY\": \"...\"}"
  recovery_window_in_days = 7
}

locals {
  # What the API and the worker read. The owner's secret isn't among them.
  application_secret_arns = [aws_secretsmanager_secret.application.arn, aws_secretsmanager_secret.django.arn]
  # What the worker reads besides, for it alone calls Stripe: one, or none.
  stripe_secret_arns = aws_secretsmanager_secret.stripe[*].arn
}

# --- Rotation, by the one function that may act as the owner ---

resource "aws_lambda_permission" "rotation" {
  count = var.functions_deployed ? 1 : 0

  statement_id   = "SecretsManagerRotates"
  action         = "lambda:InvokeFunction"
  function_name  = local.functions.migrate.name
  principal      = "secretsmanager.amazonaws.com"
  source_account = local.account_id
}

resource "aws_secretsmanager_secret_rotation" "application" {
  count = var.functions_deployed ? 1 : 0

  secret_id           = aws_secretsmanager_secret.application.id
  rotation_lambda_arn = local.function_arns.migrate
  # Secrets Manager tries the function out all the same. The first rotation comes when its day does, not amid a release.
  rotate_immediately = false

  rotation_rules {
    automatically_after_days = var.rotation_days
  }

  depends_on = [aws_lambda_permission.rotation, aws_secretsmanager_secret_version.application]
}
