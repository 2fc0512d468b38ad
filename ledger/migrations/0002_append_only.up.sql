-- An entry is in its account's currency.
ALTER TABLE ledger_entry ADD CONSTRAINT entry_in_its_accounts_currency
    FOREIGN KEY (account_id, currency) REFERENCES accounts_account (id, currency);

-- A reversal undoes the whole of an entry of the same account: same amount and currency, debit and credit swapped.
ALTER TABLE ledger_entry ADD CONSTRAINT entry_reversible
    UNIQUE (id, account_id, currency, amount_minor, debit, credit);
ALTER TABLE ledger_entry ADD CONSTRAINT entry_reverses_its_mirror
    FOREIGN KEY (reverses_id, account_id, currency, amount_minor, credit, debit)
    REFERENCES ledger_entry (id, account_id, currency, amount_minor, debit, credit);

-- Append-only. An integrity-class SQLSTATE and a named constraint, so that callers recognize it by name.
CREATE FUNCTION ledger_entry_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('the ledger is append-only: %s refused', TG_OP),
        HINT = 'Post a reversing entry with a reason.',
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME,
        CONSTRAINT = 'ledger_entry_append_only';
END;
$$;

-- By statement, so that a change that would match no row is refused too.
CREATE TRIGGER ledger_entry_no_change BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_refuse_change();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_refuse_change();

-- ALWAYS: session_replication_role = replica doesn't bypass them.
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_no_change;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_no_truncate;

REVOKE ALL ON ledger_entry FROM :application_role;
GRANT SELECT, INSERT ON ledger_entry TO :application_role;
