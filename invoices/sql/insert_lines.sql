INSERT INTO invoices_invoiceline (
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, discount_minor, amount_minor, tax_rate_id,
    tax_minor, total_minor, credited_minor, period_start, period_end, rebilling_id, item_id
)
SELECT
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, discount_minor, amount_minor, tax_rate_id,
    tax_minor, total_minor, 0, period_start, period_end, rebilling_id, item_id
FROM unnest(
    %(ids)s::uuid[], %(invoices)s::uuid[], %(positions)s::smallint[], %(kinds)s::text[], %(descriptions)s::text[],
    %(quantities)s::integer[], %(unit_amounts)s::bigint[], %(discounts)s::bigint[], %(amounts)s::bigint[],
    %(tax_rates)s::uuid[], %(taxes)s::bigint[], %(totals)s::bigint[], %(starts)s::date[], %(ends)s::date[],
    %(rebillings)s::uuid[], %(items)s::uuid[]
) AS line (
    id, invoice_id, position, kind, description, quantity, unit_amount_minor, discount_minor, amount_minor, tax_rate_id,
    tax_minor, total_minor, period_start, period_end, rebilling_id, item_id
)
