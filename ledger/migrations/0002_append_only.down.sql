-- What was granted of columns goes with what was granted of the table.
REVOKE ALL ON ledger_entry FROM :application_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_entry TO :application_role;
DROP TRIGGER ledger_entry_no_truncate ON ledger_entry;
DROP TRIGGER ledger_entry_no_change ON ledger_entry;
DROP FUNCTION ledger_entry_refuse_change();
DROP TRIGGER ledger_entry_mirrors ON ledger_entry;
DROP FUNCTION ledger_entry_refuse_other_than_mirror();
ALTER TABLE ledger_entry ALTER COLUMN created_at DROP DEFAULT;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_in_its_accounts_currency;
