-- No calls for so long, or for longer if they are spoken for already.
INSERT INTO payments_gatewayrate AS rate (gateway, free_at)
VALUES (%(gateway)s, clock_timestamp() + %(duration)s)
ON CONFLICT (gateway) DO UPDATE SET free_at = greatest(rate.free_at, clock_timestamp() + %(duration)s)
