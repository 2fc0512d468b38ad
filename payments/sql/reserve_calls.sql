-- Moves the time of the next call on by these calls, and returns after how long the first of them may begin. Whoever
-- comes meanwhile waits for the row, and gets the time after.
INSERT INTO payments_gatewayrate AS rate (gateway, free_at)
VALUES (%(gateway)s, clock_timestamp() + %(duration)s)
ON CONFLICT (gateway) DO UPDATE SET free_at = greatest(rate.free_at, clock_timestamp()) + %(duration)s
RETURNING free_at - %(duration)s - clock_timestamp()
