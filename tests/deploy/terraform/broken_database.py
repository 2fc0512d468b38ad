"""Ways to break the database, the reckoning of its connections, and what keeps environments apart."""

from tests.deploy.terraform.breaks import Break, breaks

DATABASE: list[Break] = [
    *breaks(
        "database",
        # The instance refuses it too: without that, the assertion.
        ("condition     = self.storage_encrypted", "condition     = self.id != null"),
        ("storage_encrypted     = true", "storage_encrypted     = false", "Storage is encrypted."),
        ("publicly_accessible    = false", "publicly_accessible    = true", "The database has no public address."),
        (
            "deletion_protection = var.database_deletion_protection",
            "deletion_protection = false",
            "AWS refuses to delete the database.",
        ),
        (
            'engine_lifecycle_support = "open-source-rds-extended-support-disabled"',
            'engine_lifecycle_support = "open-source-rds-extended-support"',
            "Extended Support, which is charged, isn't taken unasked.",
        ),
        ("skip_final_snapshot = false", "skip_final_snapshot = true", "A final snapshot is taken."),
        (
            "backup_retention_period  = var.database_backup_days",
            "backup_retention_period  = 1",
            "Backups are kept for 7 days or more.",
        ),
        ("delete_automated_backups = false", "delete_automated_backups = true", "Backups outlive the instance."),
        (
            "vpc_security_group_ids = [aws_security_group.database.id]",
            "vpc_security_group_ids = [aws_security_group.database.id, aws_default_security_group.main.id]",
            "The database is in its own group alone.",
        ),
        (
            "parameter_group_name       = aws_db_parameter_group.main.name",
            'parameter_group_name       = "default.postgres16"',
            "The database goes by our parameters.",
        ),
        (
            'name  = "rds.force_ssl"\n    value = "1"',
            'name  = "rds.force_ssl"\n    value = "0"',
            "The parameters: TLS only, 160 connections, none idle for good, no query compiled.",
        ),
        ("port     = local.database_port", "port     = 5433", "PostgreSQL, on its own port."),
        (
            'family      = "postgres${var.database_engine_version}"',
            'family      = "postgres15"',
            "Parameters and engine are of one version.",
        ),
        (
            "snapshot_identifier = var.database_snapshot_identifier",
            "snapshot_identifier = null",
            "A new instance is made from the snapshot.",
        ),
        (
            "manage_master_user_password = true",
            "manage_master_user_password = false",
            "RDS makes and keeps the owner's password.",
        ),
        (
            "-final-${substr(terraform_data.environment.id, 0, 8)}",
            "-final",
            "Its name is another one for each time that the environment is made.",
        ),
        (
            "apply_immediately           = var.database_apply_immediately",
            "apply_immediately           = true",
            "Nothing restarts the database at once, and no newer version is put in, unasked.",
        ),
        (
            "allow_major_version_upgrade = var.database_allow_major_version_upgrade",
            "allow_major_version_upgrade = false",
            "A newer version comes with parameters of its own, at once.",
        ),
        (
            "db_name  = var.database_name",
            'db_name  = "billing"',
            "The owner, the database and its subnet group have the names that are given.",
        ),
    ),
    *breaks(
        "alarms",
        (
            'metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = local.database_identifier }',
            'metric = "CPUUtilization", dimensions = { DBInstanceIdentifier = local.name }',
            "The alarms follow the new instance.",
        ),
    ),
    *breaks(
        "outputs",
        (
            "DATABASE_NAME                        = var.database_name",
            'DATABASE_NAME                        = "billing"',
            "The functions connect to the database that is named.",
        ),
    ),
]

CONNECTIONS: list[Break] = [
    *breaks(
        "database",
        (
            "local.max_connections == 0 || local.needed_connections <= local.max_connections",
            "local.needed_connections > 0",
            "The checkable object, aws_db_parameter_group.main, was expected to report an error but did not.",
        ),
    ),
    *breaks(
        "locals",
        (
            "needed_connections = 2 * local.function_connections",
            "needed_connections = 3 * local.function_connections",
            "20 of the API, 10 workers and 2 to migrate, twice while a release goes on, and 5 of RDS's own.",
            "25 of the API just fit into 80.",
        ),
        (
            "coalesce(var.database_max_connections, local.class_connections)",
            "local.class_connections > 0 ? local.class_connections : 100",
            "What is given counts.",
        ),
    ),
]

STATE: list[Break] = [
    *breaks(
        "state",
        (
            "self.input == { name = local.name, region = var.aws_region }",
            "self.input != null",
            "The checkable object, terraform_data.environment, was expected to report an error but did not.",
        ),
        (
            "input = { name = local.name, region = var.aws_region }\n\n  lifecycle",
            'input = { name = "billing", region = var.aws_region }\n\n  lifecycle',
            "The state knows its environment and its region.",
        ),
    ),
    *breaks(
        "outputs",
        (
            "lambda_concurrency = var.reserve_concurrency ? function.concurrency : null",
            "lambda_concurrency = 1",
            "Its own variables may change.",
        ),
    ),
]
