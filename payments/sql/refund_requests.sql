SELECT
    refund.id, refund.payment_id, payment.gateway_reference, refund.amount_minor, refund.currency, refund.reason,
    refund.submitted_at, refund.gateway_reference
FROM payments_refund AS refund
JOIN payments_payment AS payment ON payment.id = refund.payment_id
WHERE refund.id = ANY(%(ids)s::uuid[])
