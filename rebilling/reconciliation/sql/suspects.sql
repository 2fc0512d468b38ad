-- Periods tile time, so if none is missing, the rows of an account follow one another from its first rebilling date to
-- its present one. If they don't, or if the rebilling date has come, the account is checked period by period. Of
-- skipped rows only those that a person skipped count: the others are to be found due again.
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
    AND (account.rebilling_date <= %(as_of)s
            AND account.rebilling_date < coalesce(least(account.closes_on, account.pauses_on), 'infinity')
        OR coalesce(covered.last, account.first_rebilling_date) <> account.rebilling_date
        OR coalesce(covered.first, account.first_rebilling_date) <> account.first_rebilling_date
        OR NOT coalesce(covered.unbroken, true))
ORDER BY account.id
