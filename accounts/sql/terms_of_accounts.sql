SELECT
    terms.account_id, terms.effective_from, terms.plan_id, plan.code, plan.name, plan.interval_count,
    plan.interval_unit, terms.quantity, terms.unit_amount_minor, terms.anchor_date, terms.id,
    terms.cuts_period AND terms.cut_at IS NULL
FROM accounts_terms AS terms
JOIN accounts_plan AS plan ON plan.id = terms.plan_id
WHERE terms.account_id = ANY(%(accounts)s::uuid[]) AND terms.withdrawn_at IS NULL
ORDER BY terms.account_id, terms.effective_from, terms.id
