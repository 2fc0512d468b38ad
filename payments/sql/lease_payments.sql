-- Payments that are leased, each with what the gateway is called with.
-- SKIP LOCKED: a row whose outcome is being recorded isn't waited for. A row goes to the gateway that it was recorded for
-- and to no other, to which its key would be new.
UPDATE payments_payment AS payment
SET leased_until = %(until)s, first_called_at = coalesce(free.first_called_at, %(now)s)
FROM (
    SELECT id, first_called_at FROM payments_payment
    WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUBMITTED', 'UNKNOWN') AND gateway = %(gateway)s
        AND (leased_until IS NULL OR leased_until <= %(now)s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) AS free,
invoices_invoice AS invoice
WHERE payment.id = free.id AND invoice.id = payment.invoice_id
RETURNING
    free.first_called_at, payment.status = 'UNKNOWN', payment.id, payment.amount_minor, payment.currency,
    payment.customer, payment.payment_method, invoice.number, payment.submitted_at,
    payment.gateway_reference,
    EXISTS (
        SELECT FROM payments_authentication AS authentication
        WHERE authentication.payment_id = payment.id AND authentication.until > %(now)s
    )
