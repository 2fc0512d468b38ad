-- The application may read and write rows, in existing tables and in those of later migrations.
-- What it may not do (the ledger, histories) is revoked in the migration of the table.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :application_role;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO :application_role;

-- Only the owner migrates.
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM :application_role;

-- A plan is never edited: retire it and open a new one.
REVOKE UPDATE, DELETE ON accounts_plan FROM :application_role;
GRANT UPDATE (retired) ON accounts_plan TO :application_role;

-- Terms, history, tax rates and discounts are only added to: invoices go by them. Terms that aren't in force yet may be
-- withdrawn, and the daily run says when it cut the period before them.
REVOKE UPDATE, DELETE ON accounts_terms, accounts_accountchange, accounts_taxrate, accounts_discount
    FROM :application_role;
GRANT UPDATE (withdrawn_at, cut_at) ON accounts_terms TO :application_role;

-- An account is closed, never deleted; its currency and the prefix of its numbers never change.
REVOKE UPDATE, DELETE ON accounts_account FROM :application_role;
GRANT UPDATE (
    status, inactive_reason, name, email, address_line1, address_line2, postal_code, city, region, country, tax_id,
    language, anchor_date, rebilling_date, first_rebilling_date, billing_since,
    external_reference, collection_method, net_days, tax_rate_id, discount_id, payment_customer, payment_method,
    payment_method_unusable, on_decline, credit_balance_minor, invoices_issued, credit_notes_issued, dunning_steps, dunning_on,
    opened_on, trial_ends_on, closes_on, pauses_on, resumes_on, metadata
) ON accounts_account TO :application_role;
