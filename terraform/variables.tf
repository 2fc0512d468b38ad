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
  description = "project_name of zappa_settings.json. Zappa names the functions after it, so the two must agree."
  type        = string
  default     = "billing"

  validation {
    condition     = can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", var.project))
    error_message = "At most 20 lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "environment" {
  description = "Which of the two environments this is; the stages of zappa_settings.json are named after it."
  type        = string

  validation {
    condition     = contains(["staging", "production"], var.environment)
    error_message = "zappa_settings.json has the environments staging and production."
  }
}

variable "functions_deployed" {
  description = "False on the first apply, before `zappa deploy`; true on the second, which connects the functions: schedules, queue, rotation."
  type        = bool
  default     = false
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
  description = "When the daily sweep starts, HH:MM in the billing time zone. Clocks change between 00:00 and 03:00: a time that is skipped on one day would skip that day's sweep."
  type        = string
  default     = "04:00"

  validation {
    condition     = can(regex("^(0[3-9]|1[0-9]|2[0-3]):[0-5][0-9]$", var.sweep_time))
    error_message = "HH:MM, and not before 03:00."
  }
}

variable "allowed_hosts" {
  description = "Host names that the API and the admin answer to. Before there is a domain: the API's own, <id>.execute-api.<region>.amazonaws.com, or with a leading dot any of the region's."
  type        = list(string)

  validation {
    condition     = length(var.allowed_hosts) > 0 && alltrue([for host in var.allowed_hosts : can(regex("^\\.?[a-z0-9-]+(\\.[a-z0-9-]+)+$", host))])
    error_message = "Name at least one host, in lower case, without scheme, port or path; `*` is no host."
  }
}

variable "payment_gateway" {
  description = "The class that talks to the payment provider, as a dotted path. The default only logs, and takes no money."
  type        = string
  default     = "payments.gateways.logging_gateway.LoggingGateway"

  validation {
    condition     = can(regex("^[a-z_]+(\\.[a-z_]+)+\\.[A-Za-z]+$", var.payment_gateway))
    error_message = "A dotted path: package.module.Class."
  }
}

variable "create_stripe_secret" {
  description = "Make an empty secret for Stripe's key and tell the functions its ARN. Put the value in by hand: {\"STRIPE_API_KEY\": \"...\"}."
  type        = bool
  default     = false
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
  description = "Days between rotations of the application's database password."
  type        = number
  default     = 30

  validation {
    condition     = var.rotation_days >= 1 && var.rotation_days <= 365
    error_message = "1 to 365 days."
  }
}

# --- Concurrency: each running function holds a database connection, and the database has so many ---

variable "api_concurrency" {
  description = "Requests that the API and the admin serve at once; reserved for that function. All reserved together must leave 100 of the account's limit free: a new account's limit of 10 has to be raised first."
  type        = number
  default     = 20

  validation {
    condition     = var.api_concurrency >= 1 && floor(var.api_concurrency) == var.api_concurrency
    error_message = "A whole number from 1."
  }
}

variable "worker_concurrency" {
  description = "Workers at once; reserved for that function. Two are kept for the schedules, and the queue gets the rest."
  type        = number
  default     = 10

  validation {
    condition     = var.worker_concurrency >= 4 && floor(var.worker_concurrency) == var.worker_concurrency
    error_message = "A whole number from 4: two for the schedules, and Lambda gives a queue no fewer than two."
  }
}

variable "conn_max_age_seconds" {
  description = "Seconds that a function keeps a database connection between invocations."
  type        = number
  default     = 300

  validation {
    condition     = var.conn_max_age_seconds >= 0 && var.conn_max_age_seconds <= 540
    error_message = "0 to 540: the database ends connections that are idle for 600."
  }
}

# --- The queue ---

variable "queue_batch_size" {
  description = "Messages that one invocation of the worker gets, of at most 500 periods each."
  type        = number
  default     = 5

  validation {
    condition     = var.queue_batch_size >= 1 && var.queue_batch_size <= 10
    error_message = "1 to 10."
  }
}

variable "max_receive_count" {
  description = "Deliveries of a message before it is a dead letter. Throttling uses them up too, so not fewer than 5."
  type        = number
  default     = 5

  validation {
    condition     = var.max_receive_count >= 5 && var.max_receive_count <= 1000
    error_message = "5 to 1000."
  }
}

# --- Watching ---

variable "alarm_emails" {
  description = "Who is told when an alarm rings. Each address has to confirm its subscription. The topic's ARN is an output, for anything else."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alarm_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+\\.[^@[:space:]]+$", address))])
    error_message = "E-mail addresses."
  }
}

variable "log_retention_days" {
  description = "Days that the functions' logs are kept."
  type        = number
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch Logs takes 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "oldest_message_alarm_seconds" {
  description = "A message older than this rings: the worker doesn't keep up, or fails."
  type        = number
  default     = 3600

  validation {
    condition     = var.oldest_message_alarm_seconds >= 60 && var.oldest_message_alarm_seconds <= 86400
    error_message = "A minute to a day."
  }
}

variable "metrics_namespace" {
  description = "CloudWatch namespace that the product writes its metrics to, without dimensions: two environments in one account and region would add up."
  type        = string
  default     = "Billing"

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_/-]{0,200}$", var.metrics_namespace)) && !startswith(var.metrics_namespace, "AWS/")
    error_message = "Letters, digits, _, / and -; AWS/ is AWS's."
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
