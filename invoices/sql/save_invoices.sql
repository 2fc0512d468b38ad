UPDATE invoices_invoice AS invoice SET
    status = saved.status,
    in_flight = saved.in_flight,
    declined_on = saved.declined_on,
    credited_minor = saved.credited_minor,
    balance_applied_minor = saved.balance_applied_minor,
    paid_minor = saved.paid_minor,
    written_off_minor = saved.written_off_minor,
    credited_to_balance_minor = saved.credited_to_balance_minor,
    credited_to_refund_minor = saved.credited_to_refund_minor,
    refunded_minor = saved.refunded_minor,
    refunding_minor = saved.refunding_minor
FROM unnest(
    %(ids)s::uuid[], %(statuses)s::text[], %(in_flight)s::boolean[], %(declined)s::date[], %(credited)s::bigint[],
    %(applied)s::bigint[], %(paid)s::bigint[], %(written_off)s::bigint[], %(to_balance)s::bigint[],
    %(to_refund)s::bigint[], %(refunded)s::bigint[], %(refunding)s::bigint[]
) AS saved (
    id, status, in_flight, declined_on, credited_minor, balance_applied_minor, paid_minor, written_off_minor,
    credited_to_balance_minor, credited_to_refund_minor, refunded_minor, refunding_minor
)
WHERE invoice.id = saved.id
