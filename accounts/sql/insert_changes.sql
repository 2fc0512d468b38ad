INSERT INTO accounts_accountchange (id, account_id, reason, author, changed_at, before, after)
SELECT id, account_id, reason, %(author)s, %(now)s, before::jsonb, after::jsonb
FROM unnest(
    %(ids)s::uuid[], %(accounts)s::uuid[], %(reasons)s::text[], %(before)s::text[], %(after)s::text[]
) AS change (id, account_id, reason, before, after)
