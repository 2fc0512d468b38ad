resource "aws_db_subnet_group" "main" {
  name        = coalesce(var.database_subnet_group_name, local.name)
  description = "Private subnets in two zones"
  subnet_ids  = [for subnet in aws_subnet.database : subnet.id]
}

resource "aws_db_parameter_group" "main" {
  name        = "${local.name}-postgres${var.database_engine_version}"
  family      = "postgres${var.database_engine_version}"
  description = "TLS only, as many connections as the functions were counted for, and none that idles for good"

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  # Set and not left to the class's formula, so that what the precondition counts with is what the database has: once it
  # has been restarted with these, which a change of the class or of this waits for.
  parameter {
    name         = "max_connections"
    value        = tostring(local.max_connections)
    apply_method = "pending-reboot"
  }

  # A frozen function keeps its connection; a function that ended in the middle keeps its locks. In milliseconds.
  parameter {
    name  = "idle_session_timeout"
    value = "600000"
  }

  parameter {
    name  = "idle_in_transaction_session_timeout"
    value = "60000"
  }

  # The planner's estimate of the hourly comparison of the books is high, and compiling its hundreds of lines takes longer
  # than running them. RDS compiles by default (https://www.postgresql.org/docs/current/jit-decision.html).
  parameter {
    name  = "jit"
    value = "0"
  }

  lifecycle {
    create_before_destroy = true

    precondition {
      condition     = local.max_connections > 0
      error_message = "The memory of ${var.database_instance_class} isn't listed in locals.tf: set database_max_connections."
    }

    precondition {
      condition     = local.max_connections == 0 || local.needed_connections <= local.max_connections
      error_message = "The functions may hold ${local.needed_connections} connections while a release goes on (2 x ${local.function_connections} + ${local.reserved_connections}), and the database has ${local.max_connections}: lower api_concurrency or worker_concurrency, or take a larger class."
    }
  }
}

resource "aws_db_instance" "main" {
  identifier                 = local.database_identifier
  instance_class             = var.database_instance_class
  engine                     = "postgres"
  engine_version             = var.database_engine_version
  auto_minor_version_upgrade = true
  parameter_group_name       = aws_db_parameter_group.main.name

  # RDS's own default enrolls an instance in Extended Support, charged by the hour once its version is out of support.
  engine_lifecycle_support = "open-source-rds-extended-support-disabled"

  apply_immediately           = var.database_apply_immediately
  allow_major_version_upgrade = var.database_allow_major_version_upgrade

  db_name  = var.database_name
  port     = local.database_port
  username = var.database_owner
  # RDS makes the password, keeps it in Secrets Manager and rotates it: it is in no variable, no state and no plan.
  manage_master_user_password = true

  storage_type          = "gp3"
  allocated_storage     = var.database_storage_gib
  max_allocated_storage = var.database_most_storage_gib
  storage_encrypted     = true

  multi_az               = var.database_multi_az
  publicly_accessible    = false
  db_subnet_group_name   = aws_db_subnet_group.main.name
  vpc_security_group_ids = [aws_security_group.database.id]

  # In UTC, and away from the default sweep's hour in most of the zones that bill by it.
  backup_window            = "08:00-08:30"
  maintenance_window       = "sun:09:00-sun:09:30"
  backup_retention_period  = var.database_backup_days
  copy_tags_to_snapshot    = true
  delete_automated_backups = false

  snapshot_identifier = var.database_snapshot_identifier
  deletion_protection = var.database_deletion_protection
  skip_final_snapshot = false
  # The id is another one each time that the environment is made: the snapshot of the time before is still there.
  final_snapshot_identifier = "${local.database_identifier}-final-${substr(terraform_data.environment.id, 0, 8)}"

  lifecycle {
    # Each of these, when it differs, replaces the instance: a database that runs, or that was made by hand and is taken
    # over, would be destroyed for it. So they are read only when the instance is made, and held against it below.
    # The support of its version is chosen when it is made or restored, and RDS changes it at no other time.
    ignore_changes = [snapshot_identifier, db_name, username, storage_encrypted, engine, engine_lifecycle_support]

    postcondition {
      condition     = self.engine == "postgres"
      error_message = "The instance ${self.identifier} runs ${self.engine}, and the product needs PostgreSQL."
    }
    postcondition {
      condition     = self.storage_encrypted
      error_message = "The storage of ${self.identifier} isn't encrypted, and RDS can't encrypt it in place: restore an encrypted copy of a snapshot under another name, and take that over."
    }
    postcondition {
      condition     = self.username == var.database_owner
      error_message = "The owner of ${self.identifier} is ${self.username}: set database_owner to that."
    }
    # Without it there is no secret that the migrating function could read.
    postcondition {
      condition     = length(self.master_user_secret) > 0
      error_message = "RDS doesn't manage the owner's password of ${self.identifier}. Turn that on first: aws rds modify-db-instance --db-instance-identifier ${self.identifier} --manage-master-user-password --apply-immediately"
    }
  }
}
