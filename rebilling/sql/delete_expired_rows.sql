-- Sessions go by the real time, as Django's do, whatever day a platform of our own is at.
WITH sessions AS (
    DELETE FROM django_session WHERE expire_date < statement_timestamp() RETURNING 1
), counts AS (
    -- Rows that a request counts on at the moment stay: they aren't old.
    DELETE FROM api_requestcount WHERE window_start < %(counts_before)s RETURNING 1
)
SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM counts)
