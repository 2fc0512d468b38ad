-- What was paid for a charge and sent back is no longer paid, but covered by credit. A VOIDED charge asks for nothing: what
-- was paid for it is free credit, and less of that is left.
UPDATE rebilling_rebilling AS row
SET paid_minor = row.paid_minor - refunded.amount,
    credit_minor = row.credit_minor + CASE row.status WHEN 'VOIDED' THEN 0 ELSE refunded.amount END
FROM (
    SELECT payment.charge_id, sum(refund.amount_minor)::bigint AS amount
    FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
    WHERE refund.id = ANY(%(ids)s::uuid[])
    GROUP BY payment.charge_id
) AS refunded
WHERE row.charge_id = refunded.charge_id
