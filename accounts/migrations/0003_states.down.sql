DROP TRIGGER accounts_account_moves ON accounts_account;
DROP TRIGGER accounts_account_starts ON accounts_account;
DROP FUNCTION refuse_state();
