UPDATE invoices_item AS item SET invoiced_minor = item.invoiced_minor + invoiced.amount_minor, rebilling_id = NULL
FROM unnest(%(ids)s::uuid[], %(amounts)s::bigint[]) AS invoiced (id, amount_minor)
WHERE item.id = invoiced.id
