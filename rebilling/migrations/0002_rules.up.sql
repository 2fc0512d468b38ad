-- A line for a period names its rebilling.
ALTER TABLE invoices_invoiceline ADD CONSTRAINT invoice_line_names_a_rebilling
    FOREIGN KEY (rebilling_id) REFERENCES rebilling_rebilling (id) DEFERRABLE INITIALLY DEFERRED;
-- A credit note for a change within a period names it.
ALTER TABLE invoices_creditnote ADD CONSTRAINT credit_note_names_a_proration
    FOREIGN KEY (proration_id) REFERENCES rebilling_proration (id) DEFERRABLE INITIALLY DEFERRED;

-- An item that is to be invoiced with a period names its rebilling.
ALTER TABLE invoices_item ADD CONSTRAINT item_names_a_rebilling
    FOREIGN KEY (rebilling_id) REFERENCES rebilling_rebilling (id) DEFERRABLE INITIALLY DEFERRED;

-- One for a change within a period names the change and the period.
ALTER TABLE invoices_item ADD CONSTRAINT item_names_a_proration
    FOREIGN KEY (proration_id) REFERENCES rebilling_proration (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_item ADD CONSTRAINT item_names_a_prorated_period
    FOREIGN KEY (prorated_id) REFERENCES rebilling_rebilling (id) DEFERRABLE INITIALLY DEFERRED;

-- A discount is taken off its own account's periods.
ALTER TABLE rebilling_rebilling ADD CONSTRAINT rebilling_discount_is_its_accounts
    FOREIGN KEY (discount_id, account_id) REFERENCES accounts_discount (id, account_id) DEFERRABLE INITIALLY DEFERRED;

-- Periods of an account never overlap. The trigger locks the accounts itself, so that two callers who race are refused
-- too; by statement, with what was inserted as a table, so that a batch costs one look.
CREATE FUNCTION rebilling_rebilling_refuse_overlap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    overlap record;
BEGIN
    PERFORM FROM accounts_account WHERE id IN (SELECT account_id FROM inserted) ORDER BY id FOR NO KEY UPDATE;
    SELECT claim.account_id, claim.period_start INTO overlap
    FROM inserted AS claim
    JOIN rebilling_rebilling AS other ON other.account_id = claim.account_id AND other.id <> claim.id
        AND NOT other.status IN ('SKIPPED', 'VOIDED')
        AND other.period_start < claim.ended_on AND other.ended_on > claim.period_start
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format(
                'the period of account %s from %s overlaps another', overlap.account_id, overlap.period_start
            ),
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME,
            CONSTRAINT = 'rebilling_overlaps_none';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER rebilling_rebilling_overlaps_none AFTER INSERT ON rebilling_rebilling
    REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION rebilling_rebilling_refuse_overlap();

-- A period can be cut short, and never made longer.
CREATE FUNCTION rebilling_rebilling_refuse_longer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('the period of rebilling %s can''t end later', NEW.id),
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME,
        CONSTRAINT = 'rebilling_ends_no_later';
END;
$$;
CREATE TRIGGER rebilling_rebilling_ends_no_later BEFORE UPDATE OF ended_on ON rebilling_rebilling FOR EACH ROW
    WHEN (NEW.ended_on > OLD.ended_on) EXECUTE FUNCTION rebilling_rebilling_refuse_longer();

-- The states that docs/states.md has, and no others; whoever asks for it.
CREATE TRIGGER rebilling_rebilling_starts BEFORE INSERT ON rebilling_rebilling FOR EACH ROW
    WHEN (NEW.status NOT IN ('DUE', 'PARKED'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER rebilling_rebilling_moves BEFORE UPDATE OF status ON rebilling_rebilling FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('DUE', 'CHARGED'),
            ('DUE', 'SKIPPED'),
            ('DUE', 'PARKED'),
            ('PARKED', 'DUE'),
            ('PARKED', 'SKIPPED'),
            ('CHARGED', 'VOIDED')
        )
    )
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER rebilling_run_starts BEFORE INSERT ON rebilling_run FOR EACH ROW
    WHEN (NEW.status NOT IN ('OPEN'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER rebilling_run_moves BEFORE UPDATE OF status ON rebilling_run FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('OPEN', 'HELD'),
            ('OPEN', 'RECONCILED'),
            ('HELD', 'OPEN'),
            ('HELD', 'CANCELLED'),
            ('RECONCILED', 'OPEN')
        )
    )
    EXECUTE FUNCTION refuse_state();

-- A reconciled run stays as it is, with its figures. It can only be opened again, to be searched and reconciled
-- anew, which changes nothing else: what is done about it then changes it while it is OPEN.
CREATE FUNCTION rebilling_run_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = format('run %s is RECONCILED: it can be opened again, and not be changed', OLD.id),
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME,
        CONSTRAINT = 'rebilling_run_stays_as_reconciled';
END;
$$;
CREATE TRIGGER rebilling_run_stays_as_reconciled BEFORE UPDATE ON rebilling_run FOR EACH ROW
    WHEN (
        OLD.status = 'RECONCILED'
        AND (
            NEW.status = 'RECONCILED'
            OR to_jsonb(NEW) - '{status, reconciled_at, gaps_searched_at}'::text[]
                <> to_jsonb(OLD) - '{status, reconciled_at, gaps_searched_at}'::text[]
        )
    )
    EXECUTE FUNCTION rebilling_run_refuse_change();

-- A run and what it found due are evidence: they are worked on, never deleted; whose period it is never changes, nor
-- what a run began as.
REVOKE UPDATE, DELETE ON rebilling_run FROM :application_role;
GRANT UPDATE (
    status, swept_at, passed_at, held_because, decided_at, decision, gaps_searched_at, reconciled_at, figures
)
    ON rebilling_run TO :application_role;
REVOKE UPDATE, DELETE ON rebilling_rebilling, rebilling_proration FROM :application_role;
GRANT UPDATE (status, reason, detail, ended_on, invoice_id, due_since) ON rebilling_rebilling TO :application_role;
