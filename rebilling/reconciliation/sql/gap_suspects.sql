-- Periods tile time, so if none is missing, the rows of an account follow one another from its first rebilling date to
-- its present one. Keeps the accounts whose rows don't, and forgets those whose rows do again. Of skipped rows only
-- those that a person skipped count: the others are to be found due again.
WITH suspects AS (
    SELECT account.id
    FROM accounts_account AS account
    LEFT JOIN LATERAL (
        SELECT min(period_start) AS first, max(period_end) AS last,
            bool_and(coalesce(previous_end = period_start, true)) AS unbroken
        FROM (
            SELECT period_start, period_end, lag(period_end) OVER (ORDER BY period_start) AS previous_end
            FROM (
                SELECT DISTINCT period_start, period_end FROM rebilling_rebilling AS row
                WHERE row.account_id = account.id AND row.period_start >= account.first_rebilling_date
                    AND row.period_start < account.rebilling_date
                    AND (row.status <> 'SKIPPED' OR row.reason = 'skipped_by_person')
            ) AS periods
        ) AS line
    ) AS covered ON true
    WHERE account.status <> 'INACTIVE'
        AND (coalesce(covered.last, account.first_rebilling_date) <> account.rebilling_date
            OR coalesce(covered.first, account.first_rebilling_date) <> account.first_rebilling_date
            OR NOT coalesce(covered.unbroken, true))
),
forgotten AS (
    DELETE FROM rebilling_gapsuspect WHERE account_id NOT IN (SELECT id FROM suspects)
)
INSERT INTO rebilling_gapsuspect (account_id, found_at)
SELECT id, %(now)s FROM suspects
ON CONFLICT DO NOTHING
