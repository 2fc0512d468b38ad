-- The discount that an account has is its own.
ALTER TABLE accounts_account ADD CONSTRAINT account_discount_is_its_own
    FOREIGN KEY (discount_id, id) REFERENCES accounts_discount (id, account_id) DEFERRABLE INITIALLY DEFERRED;
