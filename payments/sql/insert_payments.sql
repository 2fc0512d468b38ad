INSERT INTO payments_payment (
    id, account_id, invoice_id, cause, amount_minor, currency, customer, payment_method, status, decline_code,
    excess_minor, refunded_minor, needs_review, review_reason, resolution, resolved_by, gateway, gateway_reference,
    submitted_at, first_called_at, leased_until, created_by
)
SELECT
    id, account_id, invoice_id, %(cause)s, amount_minor, currency, customer, payment_method, 'SUBMITTED', '',
    0, 0, false, '', '', '', %(gateway)s, '', %(now)s, %(first_called_at)s, %(leased_until)s, %(author)s
FROM unnest(
    %(ids)s::uuid[], %(accounts)s::uuid[], %(invoices)s::uuid[], %(amounts)s::bigint[], %(currencies)s::text[],
    %(customers)s::text[], %(methods)s::text[]
) AS payment (id, account_id, invoice_id, amount_minor, currency, customer, payment_method)
