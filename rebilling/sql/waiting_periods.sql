-- By account ids alone, whatever the planner believes of the statuses.
SELECT
    claim.id, claim.account_id, claim.period_start, claim.period_end, claim.status = 'PARKED', claim.description,
    claim.quantity, claim.unit_amount_minor, claim.discount_minor, claim.amount_minor, claim.tax_rate_id,
    claim.items_minor IS NOT NULL, run.passed_at IS NOT NULL
FROM rebilling_rebilling AS claim
JOIN rebilling_run AS run ON run.id = claim.run_id
WHERE claim.account_id = ANY(%(accounts)s::uuid[]) AND claim.status IN ('DUE', 'PARKED')
ORDER BY claim.account_id, claim.period_start
