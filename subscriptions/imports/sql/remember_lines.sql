-- The line on which each reference is first; one that is known already keeps its line.
INSERT INTO import_line (external_reference, line)
SELECT * FROM unnest(%(references)s::text[], %(lines)s::bigint[])
ON CONFLICT DO NOTHING
