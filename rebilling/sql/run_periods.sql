-- What became of the periods of runs, by reason and currency; a period VOIDED later was charged all the same. Items that
-- are invoiced with a period stand beside its amount.
SELECT run_id, jsonb_agg(
    jsonb_build_object(
        'outcome', outcome, 'reason', reason, 'currency', currency, 'periods', periods, 'amount_minor', amount,
        'items_minor', items
    ) ORDER BY outcome, reason, currency
)
FROM (
    SELECT run_id, CASE status WHEN 'VOIDED' THEN 'CHARGED' ELSE status END AS outcome, reason, currency,
        count(*) AS periods, sum(amount_minor) AS amount, coalesce(sum(items_minor), 0) AS items
    FROM rebilling_rebilling
    WHERE run_id = ANY(%(runs)s::uuid[])
    GROUP BY run_id, outcome, reason, currency
) AS figures
GROUP BY run_id
