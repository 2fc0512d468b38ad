SELECT
    id, currency, status, inactive_reason, anchor_date, rebilling_date, first_rebilling_date,
    collection_method, net_days, payment_customer, payment_method, payment_method_unusable, credit_balance_minor,
    number_prefix, invoices_issued, credit_notes_issued, dunning_steps, dunning_on, opened_on, on_decline, closes_on,
    pauses_on, resumes_on, tax_rate_id, discount_id
FROM accounts_account
WHERE id = ANY(%(ids)s::uuid[])
ORDER BY id
FOR NO KEY UPDATE
