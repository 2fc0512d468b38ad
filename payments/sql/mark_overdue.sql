-- In id order and skipping what is locked, so that nothing waits for a row whose outcome is being recorded.
UPDATE {table} SET needs_review = true, review_reason = %(reason)s
WHERE id IN (
    SELECT id FROM {table}
    WHERE status IN ('SUBMITTED', 'UNKNOWN') AND NOT needs_review
        AND coalesce(first_called_at, submitted_at) <= %(since)s
    ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED
)
RETURNING id, status
