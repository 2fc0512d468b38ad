INSERT INTO invoices_numberseries (kind, year, last) VALUES (%(kind)s, %(year)s, %(count)s)
ON CONFLICT (kind, year) DO UPDATE SET last = invoices_numberseries.last + excluded.last
RETURNING last
