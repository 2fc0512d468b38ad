-- References of which a row is booked already, and that row, at the gateways of the rows to be written.
SELECT gateway_reference, id
FROM {table}
WHERE status = 'SUCCEEDED' AND gateway_reference = ANY(%(references)s::text[])
    AND gateway IN (SELECT gateway FROM {table} WHERE id = ANY(%(ids)s::uuid[]) AND gateway <> 'offline')
