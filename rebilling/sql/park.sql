UPDATE rebilling_rebilling AS claim SET status = 'PARKED', reason = parking.reason, detail = parking.detail
FROM unnest(%(ids)s::uuid[], %(reasons)s::text[], %(details)s::text[]) AS parking (id, reason, detail)
WHERE claim.id = parking.id AND claim.status = 'DUE'
