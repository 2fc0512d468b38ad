-- Ordered by nothing: the accounts' locks make this safe, whatever the order in which rows are taken.
UPDATE rebilling_rebilling AS claim SET status = 'CHARGED', invoice_id = charged.invoice_id
FROM unnest(%(ids)s::uuid[], %(invoices)s::uuid[]) AS charged (id, invoice_id)
WHERE claim.id = charged.id AND claim.status = 'DUE'
RETURNING claim.id
