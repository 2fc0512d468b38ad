SELECT item.id
FROM unnest(%(ids)s::uuid[], %(accounts)s::uuid[], %(starts)s::date[]) AS item (id, account_id, period_start)
WHERE NOT EXISTS (
    SELECT FROM rebilling_rebilling AS claim
    WHERE claim.id = item.id AND claim.account_id = item.account_id AND claim.period_start = item.period_start
)
