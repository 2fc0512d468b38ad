-- An entry is in its account's currency.
ALTER TABLE ledger_entry ADD CONSTRAINT entry_in_its_accounts_currency
    FOREIGN KEY (account_id, currency) REFERENCES accounts_account (id, currency);

-- When an entry was written, the database alone says.
ALTER TABLE ledger_entry ALTER COLUMN created_at SET DEFAULT now();

-- A reversal takes back the whole of an entry of the same account: same amount and currency, debit and credit swapped.
CREATE FUNCTION ledger_entry_refuse_other_than_mirror() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger_entry AS original
        WHERE original.id = NEW.reverses_id AND original.account_id = NEW.account_id
            AND original.currency = NEW.currency AND original.amount_minor = NEW.amount_minor
            AND original.debit = NEW.credit AND original.credit = NEW.debit AND original.type IN ('credit', 'write_off')
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('entry %s is no mirror of a credit or a write-off', NEW.id),
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME,
            CONSTRAINT = 'entry_reverses_its_mirror';
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER ledger_entry_mirrors BEFORE INSERT ON ledger_entry FOR EACH ROW
    WHEN (NEW.reverses_id IS NOT NULL) EXECUTE FUNCTION ledger_entry_refuse_other_than_mirror();

-- Append-only. An integrity-class SQLSTATE and a named constraint, so that callers can tell it by name.
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

-- ALWAYS: session_replication_role = replica doesn't get round them.
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_mirrors;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_no_change;
ALTER TABLE ledger_entry ENABLE ALWAYS TRIGGER ledger_entry_no_truncate;

REVOKE ALL ON ledger_entry FROM :application_role;
GRANT SELECT ON ledger_entry TO :application_role;
GRANT INSERT (
    id, account_id, type, debit, credit, amount_minor, currency, effective_on, period_start, period_end, invoice_id,
    line_id, payment_id, refund_id, description, idempotency_key, reverses_id, created_by
) ON ledger_entry TO :application_role;
