-- SKIP LOCKED: a row whose outcome is being recorded isn't waited for. A row goes to the gateway that it was recorded for
-- and to no other, to which its key would be new.
UPDATE {table} AS row
SET leased_until = %(until)s, first_called_at = coalesce(free.first_called_at, %(now)s)
FROM (
    SELECT id, first_called_at FROM {table}
    WHERE id = ANY(%(ids)s::uuid[]) AND status IN ('SUBMITTED', 'UNKNOWN') AND gateway = %(gateway)s
        AND (leased_until IS NULL OR leased_until <= %(now)s)
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
) AS free
WHERE row.id = free.id
RETURNING row.id, free.first_called_at, row.status = 'UNKNOWN'
