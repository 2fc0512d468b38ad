SELECT
    id, account_id, invoice_id, cause, amount_minor, currency, status, decline_code, needs_review, gateway, completed_at,
    customer, payment_method,
    EXISTS (SELECT FROM payments_authentication WHERE payment_id = payments_payment.id)
FROM payments_payment
WHERE id = ANY(%(ids)s::uuid[])
ORDER BY id
