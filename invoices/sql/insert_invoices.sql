INSERT INTO invoices_invoice (
    id, account_id, number, status, currency, issued_on, due_on, collection_method, seller, customer_name,
    customer_email, total_minor, tax_minor, credited_minor, credited_to_balance_minor, credited_to_refund_minor,
    balance_applied_minor, paid_minor, refunded_minor, refunding_minor, written_off_minor, in_flight, declined_on, created_at
)
SELECT
    id, account_id, number, status, currency, %(issued_on)s, due_on, collection_method, %(seller)s, customer_name,
    customer_email, total_minor, 0, 0, 0, 0,
    balance_applied_minor, 0, 0, 0, 0, in_flight, declined_on, %(now)s
FROM unnest(
    %(ids)s::uuid[], %(accounts)s::uuid[], %(numbers)s::text[], %(statuses)s::text[], %(currencies)s::text[],
    %(due_dates)s::date[], %(methods)s::text[], %(names)s::text[], %(emails)s::text[], %(totals)s::bigint[],
    %(applied)s::bigint[], %(in_flight)s::boolean[], %(declined)s::date[]
) AS invoice (
    id, account_id, number, status, currency, due_on, collection_method, customer_name, customer_email, total_minor,
    balance_applied_minor, in_flight, declined_on
)
