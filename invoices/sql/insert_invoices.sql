-- The customer is named as the account, which is locked, has it now.
INSERT INTO invoices_invoice (
    id, account_id, number, status, currency, issued_on, due_on, collection_method, seller, customer_name,
    customer_email, customer_address, customer_country, customer_tax_id, customer_language, total_minor, tax_minor,
    credited_minor, credited_to_balance_minor, credited_to_refund_minor, balance_applied_minor, paid_minor,
    refunded_minor, refunding_minor, written_off_minor, in_flight, declined_on, created_at
)
SELECT
    invoice.id, account.id, number, invoice.status, account.currency, %(issued_on)s, due_on, account.collection_method,
    %(seller)s, account.name, account.email,
    concat_ws(', ',
        nullif(address_line1, ''), nullif(address_line2, ''),
        nullif(concat_ws(' ', nullif(postal_code, ''), nullif(city, '')), ''),
        nullif(region, '')
    ),
    country, tax_id, language, total_minor, tax_minor,
    0, 0, 0, balance_applied_minor, 0,
    0, 0, 0, in_flight, invoice.declined_on, %(now)s
FROM unnest(
    %(ids)s::uuid[], %(accounts)s::uuid[], %(numbers)s::text[], %(statuses)s::text[], %(due_dates)s::date[],
    %(totals)s::bigint[], %(taxes)s::bigint[], %(applied)s::bigint[], %(in_flight)s::boolean[], %(declined)s::date[]
) AS invoice (
    id, account_id, number, status, due_on, total_minor, tax_minor, balance_applied_minor, in_flight, declined_on
)
JOIN accounts_account AS account ON account.id = invoice.account_id
    -- Said again, or the planner may read every account.
    AND account.id = ANY(%(accounts)s::uuid[])
