REVOKE ALL (status, reason, detail, ended_on, invoice_id, due_since) ON rebilling_rebilling FROM :application_role;
GRANT UPDATE, DELETE ON rebilling_rebilling, rebilling_proration TO :application_role;
REVOKE ALL (
    status, swept_at, passed_at, held_because, decided_at, decision, gaps_searched_at, reconciled_at, figures
) ON rebilling_run FROM :application_role;
GRANT UPDATE, DELETE ON rebilling_run TO :application_role;
DROP TRIGGER rebilling_run_stays_as_reconciled ON rebilling_run;
DROP FUNCTION rebilling_run_refuse_change();
DROP TRIGGER rebilling_run_moves ON rebilling_run;
DROP TRIGGER rebilling_run_starts ON rebilling_run;
DROP TRIGGER rebilling_rebilling_moves ON rebilling_rebilling;
DROP TRIGGER rebilling_rebilling_starts ON rebilling_rebilling;
DROP TRIGGER rebilling_rebilling_ends_no_later ON rebilling_rebilling;
DROP FUNCTION rebilling_rebilling_refuse_longer();
DROP TRIGGER rebilling_rebilling_overlaps_none ON rebilling_rebilling;
DROP FUNCTION rebilling_rebilling_refuse_overlap();
ALTER TABLE invoices_creditnote DROP CONSTRAINT credit_note_names_a_proration;
ALTER TABLE invoices_invoiceline DROP CONSTRAINT invoice_line_names_a_rebilling;
ALTER TABLE invoices_item DROP CONSTRAINT item_names_a_prorated_period;
ALTER TABLE invoices_item DROP CONSTRAINT item_names_a_proration;
ALTER TABLE invoices_item DROP CONSTRAINT item_names_a_rebilling;
ALTER TABLE rebilling_rebilling DROP CONSTRAINT rebilling_discount_is_its_accounts;
