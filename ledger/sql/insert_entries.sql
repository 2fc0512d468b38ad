-- The one statement that writes the ledger. `created_at` is the database's own.
INSERT INTO ledger_entry (
    id, account_id, type, debit, credit, amount_minor, currency, effective_on, period_start, period_end,
    invoice_id, line_id, payment_id, refund_id, description, idempotency_key, reverses_id, created_by
)
SELECT
    id, account_id, type, debit, credit, amount_minor, currency, %(effective_on)s, period_start, period_end,
    invoice_id, line_id, payment_id, refund_id, description, idempotency_key, reverses_id,
    coalesce(author, %(created_by)s)
FROM unnest(
    %(ids)s::uuid[], %(accounts)s::uuid[], %(types)s::text[], %(debits)s::text[], %(credits)s::text[],
    %(amounts)s::bigint[], %(currencies)s::text[], %(starts)s::date[], %(ends)s::date[], %(invoices)s::uuid[],
    %(lines)s::uuid[], %(payments)s::uuid[], %(refunds)s::uuid[], %(descriptions)s::text[], %(keys)s::text[],
    %(reversed)s::uuid[], %(authors)s::text[]
) AS entry (
    id, account_id, type, debit, credit, amount_minor, currency, period_start, period_end, invoice_id, line_id,
    payment_id, refund_id, description, idempotency_key, reverses_id, author
)
