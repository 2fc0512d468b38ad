ALTER TABLE api_requestcount RESET (fillfactor);
ALTER TABLE api_requestcount SET LOGGED;
