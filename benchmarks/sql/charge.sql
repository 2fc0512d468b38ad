-- The same rows as the worker's first transaction writes for accounts with nothing special, set-based and by hand.
WITH locked AS MATERIALIZED (
    SELECT * FROM accounts_account WHERE id = ANY(%(accounts)s::uuid[]) ORDER BY id FOR NO KEY UPDATE
),
due AS MATERIALIZED (
    SELECT claim.id, claim.account_id, claim.period_start, claim.period_end, claim.description, claim.quantity,
        claim.unit_amount_minor, claim.amount_minor, uuidv7() AS invoice_id, uuidv7() AS line_id
    FROM locked
    JOIN rebilling_rebilling AS claim ON claim.account_id = locked.id AND claim.status = 'DUE'
        AND claim.period_start = locked.rebilling_date
),
charged AS (
    UPDATE rebilling_rebilling AS claim SET status = 'CHARGED', invoice_id = due.invoice_id
    FROM due WHERE claim.id = due.id AND claim.status = 'DUE'
),
invoices AS (
    INSERT INTO invoices_invoice (
        id, account_id, number, status, currency, issued_on, due_on, collection_method, seller, customer_name,
        customer_email, customer_address, customer_country, customer_tax_id, customer_language, total_minor, tax_minor,
        credited_minor, credited_to_balance_minor, credited_to_refund_minor, balance_applied_minor, paid_minor,
        refunded_minor, refunding_minor, written_off_minor, in_flight, created_at
    )
    SELECT due.invoice_id, due.account_id, locked.number_prefix || '-' || lpad((locked.invoices_issued + 1)::text, 4, '0'),
        'OPEN', locked.currency, %(today)s, %(today)s, locked.collection_method, '', locked.name,
        locked.email, '', locked.country, locked.tax_id, locked.language, due.amount_minor, 0,
        0, 0, 0, 0, 0, 0, 0, 0, true, %(now)s
    FROM due JOIN locked ON locked.id = due.account_id
),
lines AS (
    INSERT INTO invoices_invoiceline (
        id, invoice_id, position, kind, description, quantity, unit_amount_minor, discount_minor, amount_minor,
        tax_minor, total_minor, credited_minor, period_start, period_end, rebilling_id
    )
    SELECT line_id, invoice_id, 1, 'period', description, quantity, unit_amount_minor, 0, amount_minor, 0, amount_minor, 0,
        period_start, period_end, id
    FROM due
),
entries AS (
    INSERT INTO ledger_entry (
        id, account_id, type, debit, credit, amount_minor, currency, effective_on, period_start, period_end,
        invoice_id, line_id, description, idempotency_key, created_by
    )
    SELECT uuidv7(), due.account_id, 'charge', 'receivable', 'revenue', due.amount_minor, locked.currency, %(today)s,
        due.period_start, due.period_end, due.invoice_id, due.line_id, due.description, 'charge:' || due.id,
        'system:billing'
    FROM due JOIN locked ON locked.id = due.account_id
),
payments AS (
    INSERT INTO payments_payment (
        id, account_id, invoice_id, cause, amount_minor, currency, customer, payment_method, status, decline_code,
        excess_minor, refunded_minor, needs_review, review_reason, resolution, resolved_by, gateway, gateway_reference,
        submitted_at, first_called_at, leased_until, created_by
    )
    SELECT uuidv7(), due.account_id, due.invoice_id, 'invoice', due.amount_minor, locked.currency,
        locked.payment_customer, locked.payment_method, 'SUBMITTED', '', 0, 0, false, '', '', '', 'logging',
        '', %(now)s, %(now)s, %(until)s, 'system:billing'
    FROM due JOIN locked ON locked.id = due.account_id
    -- What the gateway is called with.
    RETURNING id::text, amount_minor, currency, customer, payment_method
),
moved AS (
    UPDATE accounts_account AS account SET rebilling_date = due.period_end,
        invoices_issued = account.invoices_issued + 1
    FROM due WHERE account.id = due.account_id
)
SELECT * FROM payments
