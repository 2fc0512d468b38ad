INSERT INTO invoices_balanceuse (id, invoice_id, kind, amount_minor, used_on)
SELECT id, invoice_id, kind, amount_minor, used_on
FROM unnest(%(ids)s::uuid[], %(invoices)s::uuid[], %(kinds)s::text[], %(amounts)s::bigint[], %(days)s::date[])
    AS balance_use (id, invoice_id, kind, amount_minor, used_on)
