SELECT invoice.currency, count(*), sum(
    invoice.total_minor - invoice.credited_minor - invoice.balance_applied_minor - invoice.paid_minor
        - invoice.written_off_minor
)
FROM accounts_account AS account
JOIN invoices_invoice AS invoice ON invoice.account_id = account.id
WHERE account.dunning_on <= %(today)s AND NOT account.payment_method_unusable
    AND invoice.status = 'OPEN' AND invoice.declined_on IS NOT NULL
GROUP BY invoice.currency
ORDER BY invoice.currency
