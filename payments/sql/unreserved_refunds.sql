-- Refunds in flight whose money nothing has reserved, the earliest first in line for what is reserved; and whether the
-- gateway was called for them before. The accounts are locked.
WITH asked AS (
    SELECT refund.account_id, refund.source, payment.invoice_id
    FROM payments_refund AS refund
    JOIN payments_payment AS payment ON payment.id = refund.payment_id
    WHERE refund.id = ANY(%(ids)s::uuid[]) AND refund.status IN ('SUBMITTED', 'UNKNOWN')
    GROUP BY refund.account_id, refund.source, payment.invoice_id
),
-- An invoice reserves refunds of its payments.
of_invoices AS (
    SELECT refund.id, refund.first_called_at, invoice.refunding_minor AS reserved_minor,
        sum(refund.amount_minor) OVER (PARTITION BY invoice.id ORDER BY refund.id) AS up_to_here_minor
    FROM invoices_invoice AS invoice
    JOIN payments_payment AS payment ON payment.invoice_id = invoice.id
    JOIN payments_refund AS refund ON refund.payment_id = payment.id
    WHERE invoice.id IN (SELECT invoice_id FROM asked WHERE source = 'payment')
        AND refund.source = 'payment' AND refund.status IN ('SUBMITTED', 'UNKNOWN')
),
-- A refund from the balance was taken from it: what the balance lacks, by the ledger and the invoices, is reserved.
of_balances AS (
    SELECT refund.id, refund.first_called_at,
        coalesce((
            SELECT sum(
                total_minor - credited_minor - balance_applied_minor - paid_minor - written_off_minor
            ) FROM invoices_invoice WHERE account_id = account.id AND status = 'OPEN'
        ), 0) - coalesce((
            SELECT sum(CASE
                WHEN debit = 'receivable' THEN amount_minor WHEN credit = 'receivable' THEN -amount_minor ELSE 0
            END) FROM ledger_entry WHERE account_id = account.id
        ), 0) - account.credit_balance_minor AS reserved_minor,
        sum(refund.amount_minor) OVER (PARTITION BY account.id ORDER BY refund.id) AS up_to_here_minor
    FROM accounts_account AS account
    JOIN payments_refund AS refund ON refund.account_id = account.id
    WHERE account.id IN (SELECT account_id FROM asked WHERE source = 'balance')
        AND refund.source = 'balance' AND refund.status IN ('SUBMITTED', 'UNKNOWN')
)
SELECT id, 'not_reserved', first_called_at IS NOT NULL
FROM (SELECT * FROM of_invoices UNION ALL SELECT * FROM of_balances) AS in_flight
WHERE id = ANY(%(ids)s::uuid[]) AND up_to_here_minor > reserved_minor
