-- The application may read and write rows, in existing tables and in those of later migrations.
-- What it may not do (the ledger, histories) is revoked in the migration of the table.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :application_role;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :application_role;

-- Only the owner migrates.
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM :application_role;

-- A plan is never edited: retire it and open a new one.
REVOKE UPDATE, DELETE ON accounts_plan FROM :application_role;
GRANT UPDATE (retired) ON accounts_plan TO :application_role;

-- History is only added to.
REVOKE UPDATE, DELETE ON accounts_statuschange FROM :application_role;

-- An account is closed, never deleted.
REVOKE DELETE ON accounts_account FROM :application_role;
