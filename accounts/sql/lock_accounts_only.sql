SELECT FROM accounts_account
WHERE id = ANY(ARRAY(SELECT account_id FROM {table} WHERE id = ANY(%(ids)s::uuid[])))
ORDER BY id
FOR NO KEY UPDATE
