-- An invoice is in its account's currency, and an entry that names one is of its account and currency.
ALTER TABLE invoices_invoice ADD CONSTRAINT invoice_in_its_accounts_currency
    FOREIGN KEY (account_id, currency) REFERENCES accounts_account (id, currency);
ALTER TABLE ledger_entry ADD CONSTRAINT entry_names_its_accounts_invoice
    FOREIGN KEY (invoice_id, account_id, currency) REFERENCES invoices_invoice (id, account_id, currency)
    DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ledger_entry ADD CONSTRAINT entry_names_a_line
    FOREIGN KEY (line_id) REFERENCES invoices_invoiceline (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE invoices_creditnote ADD CONSTRAINT credit_note_of_its_accounts_invoice
    FOREIGN KEY (invoice_id, account_id, currency) REFERENCES invoices_invoice (id, account_id, currency)
    DEFERRABLE INITIALLY DEFERRED;

-- The states that docs/states.md has, and no others; whoever asks for it.
CREATE TRIGGER invoices_invoice_starts BEFORE INSERT ON invoices_invoice FOR EACH ROW
    WHEN (NEW.status NOT IN ('OPEN', 'PAID'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER invoices_invoice_moves BEFORE UPDATE OF status ON invoices_invoice FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('OPEN', 'PAID'),
            ('OPEN', 'VOID'),
            ('OPEN', 'UNCOLLECTIBLE'),
            ('PAID', 'OPEN'),
            ('UNCOLLECTIBLE', 'PAID'),
            ('UNCOLLECTIBLE', 'OPEN'),
            ('UNCOLLECTIBLE', 'VOID')
        )
    )
    EXECUTE FUNCTION refuse_state();

-- What was issued stays as it was issued, an item as it was added; only what became of it changes. Nothing is deleted.
REVOKE UPDATE, DELETE ON invoices_invoice, invoices_invoiceline, invoices_balanceuse, invoices_creditnote,
    invoices_creditnoteline, invoices_item FROM :application_role;
GRANT UPDATE (
    status, credited_minor, credited_to_balance_minor, credited_to_refund_minor, balance_applied_minor, paid_minor,
    refunded_minor, refunding_minor, written_off_minor, in_flight, declined_on
) ON invoices_invoice TO :application_role;
GRANT UPDATE (credited_minor) ON invoices_invoiceline TO :application_role;
GRANT UPDATE (rebilling_id, invoiced_minor, removed_at, removed_by, removal_reason) ON invoices_item
    TO :application_role;
