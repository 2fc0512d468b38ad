mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  environment        = "production"
  allowed_hosts      = ["billing.example.com"]
  functions_deployed = true
  payment_gateway    = "payments.gateways.logging_gateway.LoggingGateway"
}

run "a_database_that_is_hard_to_lose" {
  assert {
    condition     = aws_db_instance.main.engine == "postgres" && aws_db_instance.main.port == 5432
    error_message = "PostgreSQL, on its own port."
  }

  assert {
    condition     = aws_db_instance.main.engine_lifecycle_support == "open-source-rds-extended-support-disabled"
    error_message = "Extended Support, which is charged, isn't taken unasked."
  }

  assert {
    condition     = aws_db_instance.main.storage_encrypted
    error_message = "Storage is encrypted."
  }

  assert {
    condition     = !aws_db_instance.main.publicly_accessible
    error_message = "The database has no public address."
  }

  assert {
    condition     = aws_db_instance.main.deletion_protection
    error_message = "AWS refuses to delete the database."
  }

  assert {
    condition     = !aws_db_instance.main.skip_final_snapshot
    error_message = "A final snapshot is taken."
  }

  assert {
    condition     = aws_db_instance.main.final_snapshot_identifier == "billing-production-final-${substr(terraform_data.environment.id, 0, 8)}" && can(regex("-final-[0-9a-f]{8}$", aws_db_instance.main.final_snapshot_identifier))
    error_message = "Its name is another one for each time that the environment is made."
  }

  assert {
    condition     = aws_db_instance.main.backup_retention_period >= 7
    error_message = "Backups are kept for 7 days or more."
  }

  assert {
    condition     = !aws_db_instance.main.delete_automated_backups
    error_message = "Backups outlive the instance."
  }

  assert {
    condition     = aws_db_instance.main.manage_master_user_password && aws_db_instance.main.password == null
    error_message = "RDS makes and keeps the owner's password."
  }

  assert {
    condition     = aws_db_instance.main.vpc_security_group_ids == toset(["sg-database"])
    error_message = "The database is in its own group alone."
  }

  assert {
    condition     = aws_db_instance.main.parameter_group_name == aws_db_parameter_group.main.name
    error_message = "The database goes by our parameters."
  }

  assert {
    condition     = { for parameter in aws_db_parameter_group.main.parameter : parameter.name => parameter.value } == { "rds.force_ssl" = "1", max_connections = "160", idle_session_timeout = "600000", idle_in_transaction_session_timeout = "60000", jit = "0" }
    error_message = "The parameters: TLS only, 160 connections, none idle for good, no query compiled."
  }

  assert {
    condition     = !aws_db_instance.main.apply_immediately && !aws_db_instance.main.allow_major_version_upgrade
    error_message = "Nothing restarts the database at once, and no newer version is put in, unasked."
  }

  assert {
    condition     = aws_db_parameter_group.main.family == "postgres16" && aws_db_instance.main.engine_version == "16"
    error_message = "Parameters and engine are of one version."
  }
}

run "a_newer_version_at_once_when_asked_for" {
  command = plan

  variables {
    database_engine_version              = "17"
    database_allow_major_version_upgrade = true
    database_apply_immediately           = true
  }

  assert {
    condition     = aws_db_instance.main.apply_immediately && aws_db_instance.main.allow_major_version_upgrade && aws_db_instance.main.engine_version == "17" && aws_db_parameter_group.main.family == "postgres17"
    error_message = "A newer version comes with parameters of its own, at once."
  }
}

run "made_from_a_snapshot_beside_the_old_one" {
  state_key = "restored"

  variables {
    database_snapshot_identifier = "rds:billing-production-2026-11-22"
    database_identifier          = "billing-production-restored"
  }

  assert {
    condition     = aws_db_instance.main.snapshot_identifier == "rds:billing-production-2026-11-22" && aws_db_instance.main.identifier == "billing-production-restored"
    error_message = "A new instance is made from the snapshot."
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.above["database-cpu"].dimensions.DBInstanceIdentifier == "billing-production-restored"
    error_message = "The alarms follow the new instance."
  }
}

run "named_as_one_that_was_made_by_hand" {
  command   = plan
  state_key = "by_hand"

  variables {
    database_owner             = "postgres"
    database_name              = "payments"
    database_subnet_group_name = "by-hand"
  }

  assert {
    condition     = aws_db_instance.main.username == "postgres" && aws_db_instance.main.db_name == "payments" && aws_db_subnet_group.main.name == "by-hand"
    error_message = "The owner, the database and its subnet group have the names that are given."
  }

  assert {
    condition     = alltrue([for stage in output.zappa_settings : stage.aws_environment_variables.DATABASE_NAME == "payments"])
    error_message = "The functions connect to the database that is named."
  }
}
