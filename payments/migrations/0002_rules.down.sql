-- What was granted of columns goes with what was granted of the table.
REVOKE ALL ON payments_payment, payments_refund, payments_paymentmethodsession, payments_gatewayrate
    FROM :application_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON payments_payment, payments_refund, payments_paymentmethodsession,
    payments_gatewayrate TO :application_role;
ALTER TABLE payments_gatewayrate SET LOGGED;
DROP TRIGGER payments_paymentmethodsession_moves ON payments_paymentmethodsession;
DROP TRIGGER payments_paymentmethodsession_starts ON payments_paymentmethodsession;
DROP TRIGGER payments_refund_moves ON payments_refund;
DROP TRIGGER payments_refund_starts ON payments_refund;
DROP TRIGGER payments_payment_moves ON payments_payment;
DROP TRIGGER payments_payment_starts ON payments_payment;
DROP TRIGGER payments_refund_fits ON payments_refund;
DROP FUNCTION payments_refund_refuse_excess();
ALTER TABLE invoices_creditnote DROP CONSTRAINT credit_note_names_a_refund;
ALTER TABLE payments_refund DROP COLUMN booked_id;
ALTER TABLE payments_payment DROP CONSTRAINT payment_of_its_accounts_invoice, DROP COLUMN booked_id;
ALTER TABLE ledger_entry
    DROP CONSTRAINT entry_names_a_refund,
    DROP CONSTRAINT entry_names_a_payment,
    DROP COLUMN booked_refund_id,
    DROP COLUMN booked_payment_id;
