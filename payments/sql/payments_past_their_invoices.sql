-- Payments in flight that ask for more than is outstanding of their invoice by now, whether other money that came for it
-- since they were submitted explains that to the cent, and whether the gateway was called for them before. The accounts
-- are locked.
SELECT asked.id,
    CASE WHEN asked.amount_minor <= asked.outstanding_minor + coalesce((
        SELECT sum(other.amount_minor - other.excess_minor)
        FROM payments_payment AS other
        WHERE other.invoice_id = asked.invoice_id AND other.status = 'SUCCEEDED'
            AND other.completed_at >= asked.submitted_at
    ), 0) THEN 'superseded' ELSE 'not_outstanding' END,
    asked.first_called_at IS NOT NULL
FROM (
    SELECT payment.id, payment.invoice_id, payment.amount_minor, payment.submitted_at, payment.first_called_at,
        invoice.total_minor - invoice.credited_minor - invoice.balance_applied_minor - invoice.paid_minor
            - invoice.written_off_minor AS outstanding_minor
    FROM payments_payment AS payment
    JOIN invoices_invoice AS invoice ON invoice.id = payment.invoice_id
    WHERE payment.id = ANY(%(ids)s::uuid[]) AND payment.status IN ('SUBMITTED', 'UNKNOWN')
) AS asked
WHERE asked.amount_minor > asked.outstanding_minor
