-- The same rows as the worker's last transaction writes when every payment succeeds.
WITH locked AS MATERIALIZED (
    SELECT id FROM accounts_account WHERE id = ANY(%(accounts)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
),
succeeded AS (
    UPDATE payments_payment AS payment SET status = 'SUCCEEDED', leased_until = NULL, completed_at = %(now)s,
        gateway_reference = answer.reference
    FROM unnest(%(payments)s::uuid[], %(references)s::text[]) AS answer (id, reference), locked
    WHERE payment.id = answer.id AND payment.account_id = locked.id
    RETURNING payment.*
),
entries AS (
    INSERT INTO ledger_entry (
        id, account_id, type, debit, credit, amount_minor, currency, effective_on, invoice_id, payment_id, description,
        idempotency_key, created_by
    )
    SELECT uuidv7(), account_id, 'payment', 'cash', 'receivable', amount_minor, currency, %(today)s, invoice_id, id,
        'Payment of invoice by logging', 'payment:' || id, 'system:billing'
    FROM succeeded
)
UPDATE invoices_invoice AS invoice SET status = 'PAID', paid_minor = succeeded.amount_minor, in_flight = false
FROM succeeded WHERE invoice.id = succeeded.invoice_id
