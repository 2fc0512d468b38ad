SELECT external_reference, line FROM import_line WHERE external_reference = ANY(%(references)s::text[])
