# --- Where, and which environment ---

variable "aws_region" {
  description = "The AWS region that everything is made in."
  type        = string
  default     = "us-east-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "A region is written as us-east-1 is."
  }
}

variable "aws_account_id" {
  description = "The account that this environment belongs to; Terraform then refuses to touch any other. Null: whichever the credentials are for."
  type        = string
  default     = null

  validation {
    condition     = var.aws_account_id == null || can(regex("^[0-9]{12}$", var.aws_account_id))
    error_message = "An account id has 12 digits."
  }
}

variable "project" {
  description = "The project_name of zappa_settings.json. Zappa names the functions after it, so the two must agree."
  type        = string
  default     = "billing"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.project))
    error_message = "At most 20 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "environment" {
  description = "Which environment this is: production, staging, or any other name. Zappa's stages are named after it."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,14}$", var.environment))
    error_message = "At most 15 lower-case letters and digits, a letter first."
  }
}

variable "functions_deployed" {
  description = "Whether the functions are there, and are connected: schedules, queue, rotation. `make deploy` sets it to false as long as they aren't."
  type        = bool
  default     = true
}

# --- The application ---

variable "billing_time_zone" {
  description = "The zone whose dates billing goes by, as the IANA database names it. The daily sweep starts by it too."
  type        = string
  default     = "UTC"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z0-9_+-]+){1,2})$", var.billing_time_zone))
    error_message = "A zone is written UTC, or as Europe/Berlin is."
  }
}

variable "sweep_time" {
  description = "When the daily sweep starts, HH:MM in the billing time zone. A time that a zone's clocks skip, when summer time begins, would skip that day's sweep: they skip times between 22:00 and 04:00, by zone, and no zone any other. UTC and the zones of Etc/ skip none."
  type        = string
  default     = "04:00"

  validation {
    condition     = can(regex(can(regex("^(UTC$|Etc/)", var.billing_time_zone)) ? "^([01][0-9]|2[0-3]):[0-5][0-9]$" : "^(0[4-9]|1[0-9]|2[01]):[0-5][0-9]$", var.sweep_time))
    error_message = "HH:MM, from 04:00 to 21:59; any time of the day where clocks don't change: UTC, or a zone of Etc/."
  }
}

variable "allowed_hosts" {
  description = "Host names that the API and the admin answer to, besides domain_name. None at all: any API's of the region, .execute-api.<region>.amazonaws.com; narrow it to your own, <id>.execute-api.<region>.amazonaws.com."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for host in var.allowed_hosts : can(regex("^\\.?[a-z0-9-]+(\\.[a-z0-9-]+)+$", host))])
    error_message = "Host names in lower case, without scheme, port or path; `*` is no host."
  }
}

variable "payment_gateway" {
  description = "The class that collects the money, as a dotted path: payments.gateways.stripe.gateway.StripeGateway. To collect none and record payments as if they had succeeded, payments.gateways.logging_gateway.LoggingGateway; the admin then says so on each page."
  type        = string

  validation {
    condition     = can(regex("^[a-z_]+(\\.[a-z_]+)+\\.[A-Za-z]+$", var.payment_gateway))
    error_message = "A dotted path: package.module.Class."
  }
}

variable "create_stripe_secret" {
  description = "Make an empty secret for Stripe's key and tell the worker its ARN, which alone may read it. Put the value in by hand: {\"STRIPE_API_KEY\": \"...\"}."
  type        = bool
  default     = false

  # Without a key the worker doesn't start.
  validation {
    condition     = var.create_stripe_secret || var.payment_gateway != local.stripe_gateway
    error_message = "payment_gateway is Stripe's, which needs a key: set create_stripe_secret, and put the key into the secret."
  }
}

variable "log_level" {
  description = "LOG_LEVEL of the functions. DEBUG would write out more than a log should hold."
  type        = string
  default     = "INFO"

  validation {
    condition     = contains(["INFO", "WARNING", "ERROR"], var.log_level)
    error_message = "INFO, WARNING or ERROR."
  }
}

variable "application_settings" {
  description = "Further settings of .env.example for every function, such as { VOLUME_CHECK_FIRST_AMOUNTS = \"USD=5000000\" }. Those that Terraform knows win. No secret: they lie open in Lambda's configuration."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.application_settings) : can(regex("^[A-Z][A-Z0-9_]*$", name)) && !can(regex("SECRET|PASSWORD|TOKEN|KEY|DATABASE_|^AWS_", name))])
    error_message = "Names of settings, in capitals, and none of a secret, of the database or of AWS."
  }
}

variable "secret_values_version" {
  description = "Terraform writes the first values of the application's secrets. Raise this to write new ones, which ends all sessions and needs `prepare_database` at once; rotation needs no raise."
  type        = number
  default     = 1

  validation {
    condition     = var.secret_values_version >= 1 && floor(var.secret_values_version) == var.secret_values_version
    error_message = "A whole number from 1."
  }
}

variable "rotation_days" {
  description = "Days between rotations of the application's database password. Each makes a version of the secret, of which some hundred are kept: when Terraform's own first one has gone, Terraform wants to make one anew (the runbook, rotation, says what to do). By the default that takes eight years; a week, the least, makes it two."
  type        = number
  default     = 30

  validation {
    condition     = var.rotation_days >= 7 && var.rotation_days <= 365
    error_message = "7 to 365 days."
  }
}

# --- The package ---

variable "package_bucket_name" {
  description = "Name of the bucket that Zappa uploads the package to, unique in the world. Null: made of project, environment and account."
  type        = string
  default     = null

  validation {
    condition     = var.package_bucket_name == null || can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.package_bucket_name))
    error_message = "3 to 63 lower-case letters, digits and hyphens."
  }
}
