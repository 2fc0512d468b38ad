variable "database_instance_class" {
  description = "Instance class of the database. It decides how many connections there are, and so how many functions may run."
  type        = string
  default     = "db.t4g.small"

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.database_instance_class))
    error_message = "A class is written as db.t4g.small is."
  }
}

variable "database_apply_immediately" {
  description = "Whether what restarts the database (its class, its version) is done at once, with an outage of some minutes, and not in the maintenance window. Set it for the one apply that needs it: see the runbook, a larger database."
  type        = bool
  default     = false
}

variable "database_allow_major_version_upgrade" {
  description = "Whether a change of database_engine_version may be made. It can't be taken back, but by restoring a backup: see the runbook, a newer PostgreSQL."
  type        = bool
  default     = false
}

variable "database_engine_version" {
  description = "Major version of PostgreSQL; minor versions are installed by RDS in the maintenance window. Changed later, it needs database_allow_major_version_upgrade."
  type        = string
  default     = "16"

  validation {
    condition     = can(regex("^1[5-9]$", var.database_engine_version))
    error_message = "A major version from 15 to 19."
  }
}

variable "database_max_connections" {
  description = "The database's max_connections. Null: by the instance class, 80 for each GiB of its memory. Must be given for a class that isn't listed in locals.tf."
  type        = number
  default     = null

  validation {
    condition     = var.database_max_connections == null || try(var.database_max_connections >= 20 && var.database_max_connections <= 5000, false)
    error_message = "20 to 5000."
  }
}

variable "database_name" {
  description = "Name of the database in the instance that the functions connect to. Changed later it names another one, which has to be there: nothing is renamed."
  type        = string
  default     = "billing"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_name))
    error_message = "At most 63 lower-case letters, digits and underscores, a letter first."
  }
}

variable "database_owner" {
  description = "Master user of the instance, who owns the tables and migrates. RDS can't rename it: for a database that was made by hand, the name that it has, such as postgres."
  type        = string
  default     = "billing_owner"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database_owner)) && !contains(["admin", "rdsadmin", local.application_role], var.database_owner)
    error_message = "At most 63 lower-case letters, digits and underscores, a letter first; not admin or rdsadmin, which are RDS's, nor the application's own role."
  }
}

variable "database_storage_gib" {
  description = "Storage to begin with, in GiB."
  type        = number
  default     = 20

  validation {
    condition     = var.database_storage_gib >= 20 && var.database_storage_gib <= 65536
    error_message = "20 to 65536 GiB."
  }
}

variable "database_most_storage_gib" {
  description = "RDS enlarges the storage by itself up to this, in GiB."
  type        = number
  default     = 100

  validation {
    condition     = var.database_most_storage_gib >= ceil(var.database_storage_gib * 1.1)
    error_message = "At least a tenth more than database_storage_gib."
  }
}

variable "database_multi_az" {
  description = "A standby in the second zone, which takes over by itself. Doubles the price of instance and storage."
  type        = bool
  default     = false
}

variable "database_backup_days" {
  description = "Days of automatic backups, to any second of which the database can be restored."
  type        = number
  default     = 14

  validation {
    condition     = var.database_backup_days >= 7 && var.database_backup_days <= 35
    error_message = "7 to 35 days."
  }
}

variable "database_deletion_protection" {
  description = "Whether AWS refuses to delete the database. Turn it off only in the apply before one that is meant to delete it; a final snapshot is taken all the same."
  type        = bool
  default     = true
}

variable "database_verify_certificate" {
  description = "Whether the functions verify the database's certificate, by RDS's bundle in the package (docs/deploy.md). Without it they ask for TLS all the same, but whoever could redirect traffic within the private subnets could pose as the database."
  type        = bool
  default     = false
}

variable "database_identifier" {
  description = "Name of the instance. Null: <project>-<environment>. Another name when it is restored beside the old one."
  type        = string
  default     = null

  validation {
    condition     = var.database_identifier == null || can(regex("^[a-z]([a-z0-9]|-[a-z0-9]){0,62}$", var.database_identifier))
    error_message = "Lower-case letters, digits and single hyphens, a letter first."
  }
}

variable "database_subnet_group_name" {
  description = "Name of the database's subnet group. Null: <project>-<environment>. Another for one that was made by hand: RDS moves an instance to no other group of the same network."
  type        = string
  default     = null

  validation {
    condition     = var.database_subnet_group_name == null || can(regex("^[a-z0-9][a-z0-9 ._-]{0,254}$", var.database_subnet_group_name))
    error_message = "Lower-case letters, digits, spaces, periods, underscores and hyphens."
  }
}

variable "database_snapshot_identifier" {
  description = "Snapshot that the database is made from, when it is made. Later changes of this have no effect: nothing that runs is replaced. For a point in time, restore by the AWS CLI and take the instance over with import_database_identifier."
  type        = string
  default     = null

  validation {
    condition     = var.database_snapshot_identifier == null || can(regex("^[A-Za-z][A-Za-z0-9:-]*$", var.database_snapshot_identifier))
    error_message = "A snapshot's identifier or ARN."
  }
}
