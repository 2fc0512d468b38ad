-- A payment that succeeded counts towards its charge. A charge that is then not fully paid, or whose payment was declined,
-- is UNPAID. One whose payment is UNKNOWN isn't touched. VOIDED ones keep their status: their money is free credit.
UPDATE rebilling_rebilling AS row
SET paid_minor = row.paid_minor + completed.paid,
    status = CASE
        WHEN row.status NOT IN ('CHARGED', 'UNPAID') THEN row.status
        WHEN row.credit_minor + row.paid_minor + completed.paid = row.amount_minor THEN 'PAID'
        ELSE 'UNPAID'
    END,
    retry_on = CASE
        WHEN row.credit_minor + row.paid_minor + completed.paid < row.amount_minor THEN row.retry_on
    END
FROM (
    SELECT charge_id, sum(CASE status WHEN 'SUCCEEDED' THEN amount_minor ELSE 0 END)::bigint AS paid
    FROM payments_payment WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUCCEEDED', 'DECLINED')
    GROUP BY charge_id
) AS completed
WHERE row.charge_id = completed.charge_id
RETURNING row.account_id, row.status = 'UNPAID', row.credit_minor > 0
