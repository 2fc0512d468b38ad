REVOKE ALL (credited_minor) ON invoices_invoiceline FROM :application_role;
REVOKE ALL (
    status, credited_minor, credited_to_balance_minor, credited_to_refund_minor, balance_applied_minor, paid_minor,
    refunded_minor, refunding_minor, written_off_minor, in_flight, declined_on
) ON invoices_invoice FROM :application_role;
GRANT UPDATE, DELETE ON invoices_invoice, invoices_invoiceline, invoices_balanceuse, invoices_creditnote,
    invoices_creditnoteline TO :application_role;
DROP TRIGGER invoices_invoice_moves ON invoices_invoice;
DROP TRIGGER invoices_invoice_starts ON invoices_invoice;
ALTER TABLE invoices_creditnote DROP CONSTRAINT credit_note_of_its_accounts_invoice;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_names_a_line;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_names_its_accounts_invoice;
ALTER TABLE invoices_invoice DROP CONSTRAINT invoice_in_its_accounts_currency;
