ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM :application_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM :application_role;
REVOKE ALL (
    status, inactive_reason, name, email, anchor_date, rebilling_date, first_rebilling_date, billing_since,
    external_reference, collection_method, net_days, payment_customer, payment_method, payment_method_unusable,
    credit_balance_minor, invoices_issued, credit_notes_issued, dunning_steps, dunning_on, opened_on, metadata
) ON accounts_account FROM :application_role;
REVOKE ALL (retired) ON accounts_plan FROM :application_role;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM :application_role;
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :application_role;
