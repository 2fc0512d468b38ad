-- Refunds that are leased, each with what the gateway is called with. As lease_payments.sql.
UPDATE payments_refund AS refund
SET leased_until = %(until)s, first_called_at = coalesce(free.first_called_at, %(now)s)
FROM (
    SELECT id, first_called_at FROM payments_refund
    WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUBMITTED', 'UNKNOWN') AND gateway = %(gateway)s
        AND (leased_until IS NULL OR leased_until <= %(now)s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) AS free,
payments_payment AS payment
WHERE refund.id = free.id AND payment.id = refund.payment_id
RETURNING
    free.first_called_at, refund.status = 'UNKNOWN', refund.id, refund.payment_id, payment.gateway_reference,
    refund.amount_minor, refund.currency, refund.reason, refund.submitted_at, refund.gateway_reference
