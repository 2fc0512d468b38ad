-- What was granted of columns goes with what was granted of the table.
REVOKE ALL ON invoices_invoice, invoices_invoiceline, invoices_balanceuse, invoices_creditnote,
    invoices_creditnoteline, invoices_item FROM :application_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON invoices_invoice, invoices_invoiceline, invoices_balanceuse, invoices_creditnote,
    invoices_creditnoteline, invoices_item TO :application_role;
DROP TRIGGER invoices_invoice_moves ON invoices_invoice;
DROP TRIGGER invoices_invoice_starts ON invoices_invoice;
ALTER TABLE invoices_creditnote DROP CONSTRAINT credit_note_of_its_accounts_invoice;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_names_a_line;
ALTER TABLE ledger_entry DROP CONSTRAINT entry_names_its_accounts_invoice;
ALTER TABLE invoices_invoice DROP CONSTRAINT invoice_in_its_accounts_currency;
