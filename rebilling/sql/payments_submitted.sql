SELECT payment.id
FROM rebilling_rebilling AS claim
JOIN payments_payment AS payment ON payment.invoice_id = claim.invoice_id AND payment.status = 'SUBMITTED'
WHERE claim.id = ANY(%(ids)s::uuid[])
GROUP BY payment.id
