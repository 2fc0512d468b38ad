SELECT account_id FROM ledger_entry WHERE created_at >= %(since)s
UNION
SELECT account_id FROM payments_payment WHERE status IN ('SUBMITTED', 'UNKNOWN')
UNION
SELECT account_id FROM payments_refund WHERE status IN ('SUBMITTED', 'UNKNOWN')
