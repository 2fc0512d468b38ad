GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_entry TO :application_role;
DROP TRIGGER ledger_entry_no_truncate ON ledger_entry;
DROP TRIGGER ledger_entry_no_change ON ledger_entry;
DROP FUNCTION ledger_entry_refuse_change();
ALTER TABLE ledger_entry DROP CONSTRAINT entry_reverses_its_mirror;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_reversible;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_in_its_accounts_currency;
