-- What became of the periods of runs, by reason and currency; a period VOIDED later was charged all the same.
SELECT run_id, jsonb_agg(
    jsonb_build_object(
        'outcome', outcome, 'reason', reason, 'currency', currency, 'periods', periods, 'amount_minor', amount
    ) ORDER BY outcome, reason, currency
)
FROM (
    SELECT run_id, CASE status WHEN 'VOIDED' THEN 'CHARGED' ELSE status END AS outcome, reason, currency,
        count(*) AS periods, sum(amount_minor) AS amount
    FROM rebilling_rebilling
    WHERE run_id = ANY(%(runs)s::uuid[])
    GROUP BY run_id, outcome, reason, currency
) AS figures
GROUP BY run_id
