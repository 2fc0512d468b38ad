-- Exactly one `payment` entry each payment that SUCCEEDED, and one `refund` entry each refund, of its account, currency
-- and amount: generated columns name the other row where there must be one, and foreign keys hold both ways.
ALTER TABLE ledger_entry
    ADD COLUMN booked_payment_id uuid GENERATED ALWAYS AS (CASE WHEN type = 'payment' THEN payment_id END) STORED,
    ADD COLUMN booked_refund_id uuid GENERATED ALWAYS AS (CASE WHEN type = 'refund' THEN refund_id END) STORED,
    ADD CONSTRAINT entry_of_a_payment_once UNIQUE (booked_payment_id),
    ADD CONSTRAINT entry_of_a_refund_once UNIQUE (booked_refund_id),
    ADD CONSTRAINT entry_as_its_payment FOREIGN KEY (booked_payment_id, account_id, currency, amount_minor)
        REFERENCES payments_payment (id, account_id, currency, amount_minor) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT entry_as_its_refund FOREIGN KEY (booked_refund_id, account_id, currency, amount_minor)
        REFERENCES payments_refund (id, account_id, currency, amount_minor) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT entry_names_a_payment FOREIGN KEY (payment_id) REFERENCES payments_payment (id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT entry_names_a_refund FOREIGN KEY (refund_id) REFERENCES payments_refund (id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE payments_payment
    ADD COLUMN booked_id uuid GENERATED ALWAYS AS (CASE WHEN status = 'SUCCEEDED' THEN id END) STORED,
    ADD CONSTRAINT payment_has_its_entry FOREIGN KEY (booked_id) REFERENCES ledger_entry (booked_payment_id)
        DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT payment_of_its_accounts_invoice FOREIGN KEY (invoice_id, account_id, currency)
        REFERENCES invoices_invoice (id, account_id, currency) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE payments_refund
    ADD COLUMN booked_id uuid GENERATED ALWAYS AS (CASE WHEN status = 'SUCCEEDED' THEN id END) STORED,
    ADD CONSTRAINT refund_has_its_entry FOREIGN KEY (booked_id) REFERENCES ledger_entry (booked_refund_id)
        DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_creditnote
    ADD CONSTRAINT credit_note_names_a_refund FOREIGN KEY (refund_id) REFERENCES payments_refund (id)
        DEFERRABLE INITIALLY DEFERRED;

-- Refunds never exceed their payment, whoever adds them: its row is locked, so that two at once are summed up.
CREATE FUNCTION payments_refund_refuse_excess() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    payment payments_payment;
BEGIN
    SELECT * INTO payment FROM payments_payment WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    IF payment.status <> 'SUCCEEDED' OR payment.account_id <> NEW.account_id OR payment.currency <> NEW.currency
        OR payment.amount_minor < (
            SELECT sum(amount_minor) FROM payments_refund WHERE payment_id = NEW.payment_id AND status <> 'FAILED'
        )
    THEN
        RAISE EXCEPTION USING
            ERRCODE = 'integrity_constraint_violation',
            MESSAGE = format('refund %s is more than is left of its payment', NEW.id),
            SCHEMA = TG_TABLE_SCHEMA,
            TABLE = TG_TABLE_NAME,
            CONSTRAINT = 'refund_within_its_payment';
    END IF;
    RETURN NULL;
END;
$$;
CREATE TRIGGER payments_refund_fits AFTER INSERT ON payments_refund FOR EACH ROW
    EXECUTE FUNCTION payments_refund_refuse_excess();

-- The states that docs/states.md has, and no others; whoever asks for it.
CREATE TRIGGER payments_payment_starts BEFORE INSERT ON payments_payment FOR EACH ROW
    WHEN (NEW.status NOT IN ('SUBMITTED', 'SUCCEEDED'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER payments_payment_moves BEFORE UPDATE OF status ON payments_payment FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('SUBMITTED', 'SUCCEEDED'),
            ('SUBMITTED', 'DECLINED'),
            ('SUBMITTED', 'UNKNOWN'),
            ('UNKNOWN', 'SUCCEEDED'),
            ('UNKNOWN', 'DECLINED')
        )
    )
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER payments_refund_starts BEFORE INSERT ON payments_refund FOR EACH ROW
    WHEN (NEW.status NOT IN ('SUBMITTED', 'SUCCEEDED'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER payments_refund_moves BEFORE UPDATE OF status ON payments_refund FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('SUBMITTED', 'SUCCEEDED'),
            ('SUBMITTED', 'FAILED'),
            ('SUBMITTED', 'UNKNOWN'),
            ('UNKNOWN', 'SUCCEEDED'),
            ('UNKNOWN', 'FAILED')
        )
    )
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER payments_paymentmethodsession_starts BEFORE INSERT ON payments_paymentmethodsession FOR EACH ROW
    WHEN (NEW.status NOT IN ('OPEN'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER payments_paymentmethodsession_moves BEFORE UPDATE OF status ON payments_paymentmethodsession FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('OPEN', 'COMPLETED'),
            ('OPEN', 'EXPIRED'),
            ('OPEN', 'FAILED')
        )
    )
    EXECUTE FUNCTION refuse_state();

-- What a payment or a refund is about never changes: its account, invoice, amount, currency and gateway. None is deleted.
REVOKE UPDATE, DELETE ON payments_payment, payments_refund FROM :application_role;
GRANT UPDATE (
    status, decline_code, needs_review, review_reason, resolution, resolved_by, gateway_reference, first_called_at,
    leased_until, completed_at, excess_minor, refunded_minor
) ON payments_payment TO :application_role;
GRANT UPDATE (
    status, failure_code, needs_review, review_reason, resolution, resolved_by, gateway_reference, first_called_at,
    leased_until, completed_at
) ON payments_refund TO :application_role;
-- Nor does what a session is about: its account, gateway and times.
REVOKE UPDATE, DELETE ON payments_paymentmethodsession FROM :application_role;
GRANT UPDATE (
    status, failure_code, gateway_reference, client_secret, customer, payment_method, look_up_requested_at, completed_at
) ON payments_paymentmethodsession TO :application_role;

-- Of no worth after a crash: the calls that it spread are over. Unlogged, a reservation needs no flush to the disk.
ALTER TABLE payments_gatewayrate SET UNLOGGED;
REVOKE UPDATE, DELETE ON payments_gatewayrate FROM :application_role;
GRANT UPDATE (free_at) ON payments_gatewayrate TO :application_role;
