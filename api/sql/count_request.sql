-- One row a subject, used again in each window. They are sorted, so that two requests never wait for each other.
INSERT INTO api_requestcount AS counted (subject, window_start, requests)
SELECT subject, %(start)s, 1
FROM unnest(%(subjects)s::text[]) AS subject
ORDER BY subject
ON CONFLICT (subject) DO UPDATE SET
    requests = CASE WHEN counted.window_start < excluded.window_start THEN 1 ELSE counted.requests + 1 END,
    window_start = greatest(counted.window_start, excluded.window_start)
RETURNING subject, requests
