SELECT
    id, account_id, number, currency, due_on, collection_method, in_flight, declined_on, total_minor,
    credited_minor, balance_applied_minor, paid_minor, written_off_minor, credited_to_balance_minor,
    credited_to_refund_minor, refunded_minor, refunding_minor
FROM invoices_invoice
WHERE account_id = ANY(%(accounts)s::uuid[]) AND status = 'OPEN'
ORDER BY account_id, id
