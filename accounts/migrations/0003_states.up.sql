-- An integrity-class SQLSTATE and a named constraint, so that callers can tell it by name.
CREATE FUNCTION refuse_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'integrity_constraint_violation',
        MESSAGE = CASE TG_OP
            WHEN 'INSERT' THEN format('a row of %s can''t begin as %s', TG_TABLE_NAME, NEW.status)
            ELSE format('a row of %s can''t go from %s to %s', TG_TABLE_NAME, OLD.status, NEW.status)
        END,
        SCHEMA = TG_TABLE_SCHEMA,
        TABLE = TG_TABLE_NAME,
        CONSTRAINT = TG_TABLE_NAME || '_state';
END;
$$;

-- The states that docs/states.md has, and no others; whoever asks for it.
CREATE TRIGGER accounts_account_starts BEFORE INSERT ON accounts_account FOR EACH ROW
    WHEN (NEW.status NOT IN ('PENDING', 'ACTIVE', 'INACTIVE'))
    EXECUTE FUNCTION refuse_state();
CREATE TRIGGER accounts_account_moves BEFORE UPDATE OF status ON accounts_account FOR EACH ROW
    WHEN (
        OLD.status IS DISTINCT FROM NEW.status
        AND (OLD.status, NEW.status) NOT IN (
            ('PENDING', 'ACTIVE'),
            ('PENDING', 'PAST_DUE'),
            ('PENDING', 'INACTIVE'),
            ('ACTIVE', 'PAST_DUE'),
            ('ACTIVE', 'INACTIVE'),
            ('PAST_DUE', 'ACTIVE'),
            ('PAST_DUE', 'INACTIVE'),
            ('INACTIVE', 'PENDING'),
            ('INACTIVE', 'ACTIVE'),
            ('INACTIVE', 'PAST_DUE')
        )
    )
    EXECUTE FUNCTION refuse_state();
