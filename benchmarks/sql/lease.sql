UPDATE payments_payment SET leased_until = %(until)s, first_called_at = %(now)s
WHERE id = ANY(%(payments)s::uuid[]) AND status IN ('SUBMITTED', 'UNKNOWN') AND leased_until IS NULL
-- What the gateway is called with.
RETURNING id::text, amount_minor, currency, customer, payment_method
