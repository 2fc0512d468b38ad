UPDATE invoices_item AS item SET rebilling_id = fixed.rebilling_id
FROM unnest(%(ids)s::uuid[], %(rebillings)s::uuid[]) AS fixed (id, rebilling_id)
WHERE item.id = fixed.id
