-- Sweeps answer from now on for an account that begins anew.
UPDATE accounts_account AS account SET
    billing_since = CASE
        WHEN account.first_rebilling_date = saved.first_rebilling_date THEN account.billing_since ELSE %(now)s
    END,
    status = saved.status,
    inactive_reason = saved.inactive_reason,
    anchor_date = saved.anchor_date,
    rebilling_date = saved.rebilling_date,
    first_rebilling_date = saved.first_rebilling_date,
    payment_method_unusable = saved.payment_method_unusable,
    credit_balance_minor = saved.credit_balance_minor,
    invoices_issued = saved.invoices_issued,
    credit_notes_issued = saved.credit_notes_issued,
    dunning_steps = saved.dunning_steps,
    dunning_on = saved.dunning_on,
    opened_on = saved.opened_on,
    on_decline = saved.on_decline,
    closes_on = saved.closes_on,
    pauses_on = saved.pauses_on,
    resumes_on = saved.resumes_on
FROM unnest(
    %(ids)s::uuid[], %(statuses)s::text[], %(inactive_reasons)s::text[], %(anchors)s::date[],
    %(rebilling_dates)s::date[], %(first_dates)s::date[], %(unusable)s::boolean[], %(balances)s::bigint[],
    %(invoices)s::integer[], %(credit_notes)s::integer[], %(steps)s::smallint[], %(dunning_dates)s::date[],
    %(opened)s::date[], %(on_decline)s::text[], %(closing)s::date[], %(pausing)s::date[], %(resuming)s::date[]
) AS saved (
    id, status, inactive_reason, anchor_date, rebilling_date, first_rebilling_date, payment_method_unusable,
    credit_balance_minor, invoices_issued, credit_notes_issued, dunning_steps, dunning_on, opened_on, on_decline,
    closes_on, pauses_on, resumes_on
)
WHERE account.id = saved.id
