GRANT DELETE ON payments_payment, payments_refund TO :application_role;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_names_a_payment;
