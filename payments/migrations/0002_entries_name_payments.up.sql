-- The ledger lies below payments and doesn't import them; the database ties the two all the same.
ALTER TABLE ledger_entry ADD CONSTRAINT entry_names_a_payment
    FOREIGN KEY (payment_id) REFERENCES payments_payment (id) DEFERRABLE INITIALLY DEFERRED;

-- An attempt gets its outcome, and is never deleted.
REVOKE DELETE ON payments_payment, payments_refund FROM :application_role;
