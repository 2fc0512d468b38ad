-- For people who read rows: 1999 and USD are '19.99 USD', as accounts/currencies.py writes it.
CREATE FUNCTION as_money(amount_minor numeric, currency text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN currency IN (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'VND',
            'VUV', 'XAF', 'XOF', 'XPF'
        ) THEN to_char(amount_minor, 'FM999,999,999,999,999,999,990')
        WHEN currency IN ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND')
            THEN to_char(amount_minor / 1000, 'FM999,999,999,999,999,990.000')
        ELSE to_char(amount_minor / 100, 'FM999,999,999,999,999,990.00')
    END || ' ' || currency;
$$;
