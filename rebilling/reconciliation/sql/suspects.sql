-- The accounts to be checked period by period: those that the search for gaps found, and those whose rebilling date has
-- come and whose rows from there on don't follow one another past the day, or up to a pending closing or pause.
SELECT account.id
FROM rebilling_gapsuspect AS suspect
JOIN accounts_account AS account ON account.id = suspect.account_id
WHERE account.status <> 'INACTIVE'
UNION
SELECT account.id
FROM accounts_account AS account
CROSS JOIN LATERAL (
    SELECT least(account.closes_on, account.pauses_on, %(as_of)s::date + 1) AS day
) AS until
CROSS JOIN LATERAL (
    SELECT min(period_start) AS first, max(period_end) AS last,
        bool_and(coalesce(previous_end = period_start, true)) AS unbroken
    FROM (
        SELECT period_start, period_end, lag(period_end) OVER (ORDER BY period_start) AS previous_end
        FROM (
            SELECT DISTINCT period_start, period_end FROM rebilling_rebilling AS row
            WHERE row.account_id = account.id AND row.period_start >= account.rebilling_date
                AND (row.status <> 'SKIPPED' OR row.reason = 'skipped_by_person')
        ) AS periods
    ) AS line
) AS covered
WHERE account.status <> 'INACTIVE' AND account.rebilling_date <= %(as_of)s AND account.rebilling_date < until.day
    AND NOT coalesce(covered.first = account.rebilling_date AND covered.last >= until.day AND covered.unbroken, false)
ORDER BY id
