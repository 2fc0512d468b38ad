-- What became of the periods of runs, by currency; a period VOIDED later was charged all the same.
SELECT run_id, jsonb_object_agg(outcome || ' ' || currency, jsonb_build_array(periods, amount))
FROM (
    SELECT run_id, CASE status WHEN 'VOIDED' THEN 'CHARGED' ELSE status END AS outcome, currency, count(*) AS periods,
        sum(amount_minor) AS amount
    FROM rebilling_rebilling
    WHERE run_id = ANY(%(runs)s::uuid[])
    GROUP BY run_id, outcome, currency
) AS figures
GROUP BY run_id
