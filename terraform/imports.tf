# Hand-made resources, taken over instead of made anew: docs/deploy.md, "Taking over what was made by hand". What AWS can't
# rename must have its name here already, or Terraform would replace it. Once applied, the variable may go back to null.

variable "import_vpc_id" {
  description = "VPC to take over: vpc-..."
  type        = string
  default     = null

  validation {
    condition     = var.import_vpc_id == null || startswith(coalesce(var.import_vpc_id, "-"), "vpc-")
    error_message = "An id that starts with vpc-."
  }
}

variable "import_function_subnet_ids" {
  description = "Private subnets of the functions to take over, by zone letter: { a = \"subnet-...\" }"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for letter, id in var.import_function_subnet_ids : contains(local.zone_letters, letter) && startswith(id, "subnet-")])
    error_message = "Ids that start with subnet-, by letters of zone_letters."
  }
}

variable "import_database_subnet_ids" {
  description = "Private subnets of the database to take over, by zone letter: { a = \"subnet-...\" }"
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for letter, id in var.import_database_subnet_ids : contains(local.zone_letters, letter) && startswith(id, "subnet-")])
    error_message = "Ids that start with subnet-, by letters of zone_letters."
  }
}

variable "import_database_subnet_group_name" {
  description = "Subnet group of the database to take over. Its name must be database_subnet_group_name's."
  type        = string
  default     = null

  validation {
    condition     = var.import_database_subnet_group_name == null || try(var.import_database_subnet_group_name == coalesce(var.database_subnet_group_name, local.name), false)
    error_message = "Set database_subnet_group_name to the same name."
  }
}

variable "import_database_identifier" {
  description = "Database instance to take over, such as one restored to a point in time. Its name must be database_identifier's, its master user database_owner's, and RDS must manage that user's password."
  type        = string
  default     = null

  validation {
    condition     = var.import_database_identifier == null || try(var.import_database_identifier == coalesce(var.database_identifier, "${var.project}-${var.environment}"), false)
    error_message = "Set database_identifier to the same name."
  }
}

variable "import_queue_url" {
  description = "Queue of rebillings to take over, named <project>-<environment>-rebilling: https://sqs.<region>.amazonaws.com/<account>/<name>"
  type        = string
  default     = null

  validation {
    condition     = var.import_queue_url == null || can(regex("^https?://.+/${local.queue_names.rebilling}$", var.import_queue_url))
    error_message = "The URL of a queue named ${local.queue_names.rebilling}: SQS renames none."
  }
}

variable "import_dead_letter_queue_url" {
  description = "Dead-letter queue to take over, named <project>-<environment>-rebilling-dlq: https://sqs.<region>.amazonaws.com/<account>/<name>"
  type        = string
  default     = null

  validation {
    condition     = var.import_dead_letter_queue_url == null || can(regex("^https?://.+/${local.queue_names.dead_letters}$", var.import_dead_letter_queue_url))
    error_message = "The URL of a queue named ${local.queue_names.dead_letters}: SQS renames none."
  }
}

variable "import_application_secret_arn" {
  description = "Secret of the application's database role to take over, named <project>-<environment>/database-application. Its value is then written anew: run `prepare_database` at once."
  type        = string
  default     = null

  validation {
    condition     = var.import_application_secret_arn == null || can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:${local.name}/database-application-[A-Za-z0-9]{6}$", var.import_application_secret_arn))
    error_message = "The ARN of a secret named ${local.name}/database-application: Secrets Manager renames none."
  }
}

variable "import_package_bucket_name" {
  description = "Bucket of packages to take over. Set package_bucket_name to the same name."
  type        = string
  default     = null

  validation {
    condition     = var.import_package_bucket_name == null || try(var.import_package_bucket_name == var.package_bucket_name, false)
    error_message = "Set package_bucket_name to the same name."
  }
}

variable "import_log_group_duties" {
  description = "Functions whose log groups are there already, Lambda having made them: api, worker, migrate."
  type        = set(string)
  default     = []

  validation {
    condition     = length(setsubtract(var.import_log_group_duties, ["api", "worker", "migrate"])) == 0
    error_message = "Of api, worker and migrate."
  }
}

variable "import_dashboard_name" {
  description = "Dashboard to take over."
  type        = string
  default     = null

  validation {
    condition     = var.import_dashboard_name != ""
    error_message = "A name, or null."
  }
}

variable "import_event_source_mapping_uuid" {
  description = "Event source mapping from the queue to the worker to take over. Only with functions_deployed."
  type        = string
  default     = null

  validation {
    condition     = var.import_event_source_mapping_uuid == null || var.functions_deployed
    error_message = "Only with functions_deployed = true."
  }
}

import {
  for_each = toset(var.import_vpc_id[*])
  to       = aws_vpc.main
  id       = each.key
}

import {
  for_each = var.import_function_subnet_ids
  to       = aws_subnet.function[each.key]
  id       = each.value
}

import {
  for_each = var.import_database_subnet_ids
  to       = aws_subnet.database[each.key]
  id       = each.value
}

import {
  for_each = toset(var.import_database_subnet_group_name[*])
  to       = aws_db_subnet_group.main
  id       = each.key
}

import {
  for_each = toset(var.import_database_identifier[*])
  to       = aws_db_instance.main
  id       = each.key
}

import {
  for_each = toset(var.import_queue_url[*])
  to       = aws_sqs_queue.rebilling
  id       = each.key
}

import {
  for_each = toset(var.import_dead_letter_queue_url[*])
  to       = aws_sqs_queue.dead_letters
  id       = each.key
}

import {
  for_each = toset(var.import_application_secret_arn[*])
  to       = aws_secretsmanager_secret.application
  id       = each.key
}

import {
  for_each = toset(var.import_package_bucket_name[*])
  to       = aws_s3_bucket.package
  id       = each.key
}

import {
  for_each = var.import_log_group_duties
  to       = aws_cloudwatch_log_group.function[each.key]
  id       = "/aws/lambda/${local.functions[each.key].name}"
}

import {
  for_each = toset(var.import_dashboard_name[*])
  to       = aws_cloudwatch_dashboard.main
  id       = each.key
}

import {
  for_each = toset(var.import_event_source_mapping_uuid[*])
  to       = aws_lambda_event_source_mapping.rebilling[0]
  id       = each.key
}
