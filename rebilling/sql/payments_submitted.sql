SELECT payment.id
FROM unnest(%(accounts)s::uuid[], %(starts)s::date[]) AS key (account_id, period_start)
JOIN rebilling_rebilling AS row
    ON row.account_id = key.account_id AND row.period_start = key.period_start AND row.status <> 'SKIPPED'
JOIN payments_payment AS payment ON payment.charge_id = row.charge_id AND payment.status = 'SUBMITTED'
