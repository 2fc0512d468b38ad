DROP FUNCTION as_money(numeric, text);
