SELECT
    payment.id, payment.amount_minor, payment.currency, payment.customer, payment.payment_method,
    'Invoice ' || invoice.number, payment.submitted_at, payment.gateway_reference
FROM payments_payment AS payment
JOIN invoices_invoice AS invoice ON invoice.id = payment.invoice_id
WHERE payment.id = ANY(%(ids)s::uuid[])
