-- A row that needs review still does while its outcome is UNKNOWN, whatever the gateway answers. The exception is a row
-- that was SUBMITTED until now: it needed review because the gateway wasn't called for days, and it was.
-- The lease ends, be it that of another worker by now: that one calls under the same key, and its outcome finds this one.
UPDATE {table} AS row
SET status = outcome.status, {code} = outcome.code, leased_until = NULL,
    gateway_reference = CASE outcome.reference WHEN '' THEN row.gateway_reference ELSE outcome.reference END,
    completed_at = CASE outcome.status WHEN 'UNKNOWN' THEN NULL ELSE %(now)s END,
    needs_review = outcome.for_review <> '' OR outcome.status = 'UNKNOWN' AND row.status = 'UNKNOWN' AND row.needs_review,
    review_reason = CASE
        WHEN outcome.for_review <> '' THEN outcome.for_review
        WHEN outcome.status = 'UNKNOWN' AND row.status = 'UNKNOWN' THEN row.review_reason
        ELSE ''
    END
FROM unnest(
    %(ids)s::uuid[], %(statuses)s::text[], %(codes)s::text[], %(references)s::text[], %(for_review)s::text[]
) AS outcome (id, status, code, reference, for_review)
JOIN {table} AS before USING (id)
WHERE row.id = outcome.id AND row.status IN ('SUBMITTED', 'UNKNOWN')
RETURNING row.id, row.account_id, before.status = 'UNKNOWN' AND row.status = 'UNKNOWN'
