INSERT INTO invoices_invoiceline (
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, discount_minor, amount_minor, tax_minor,
    credited_minor, period_start, period_end, rebilling_id
)
SELECT
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, 0, amount_minor, 0,
    0, period_start, period_end, rebilling_id
FROM unnest(
    %(ids)s::uuid[], %(invoices)s::uuid[], %(positions)s::smallint[], %(kinds)s::text[], %(descriptions)s::text[],
    %(quantities)s::integer[], %(unit_amounts)s::bigint[], %(amounts)s::bigint[], %(starts)s::date[], %(ends)s::date[],
    %(rebillings)s::uuid[]
) AS line (
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, amount_minor, period_start, period_end,
    rebilling_id
)
