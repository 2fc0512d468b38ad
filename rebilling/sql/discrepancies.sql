-- What must not be: rows that don't agree with one another, each with a name, its account and a detail. Nothing is
-- returned while the books are right. `accounts` are the ones to look at, or NULL for all.
WITH period_lines AS (
    SELECT line.id, line.rebilling_id, line.invoice_id, line.discount_minor, line.amount_minor, line.tax_rate_id,
        line.period_start, line.period_end, invoice.account_id
    FROM invoices_invoiceline AS line
    JOIN invoices_invoice AS invoice ON invoice.id = line.invoice_id
    WHERE line.kind = 'period'
        AND (%(accounts)s::uuid[] IS NULL OR invoice.account_id = ANY(%(accounts)s::uuid[]))
),
invoices AS (
    SELECT * FROM invoices_invoice
    WHERE %(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s::uuid[])
),
claims AS (
    SELECT * FROM rebilling_rebilling
    WHERE %(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s::uuid[])
),
entries AS (
    SELECT * FROM ledger_entry
    WHERE %(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s::uuid[])
),
payments AS (
    SELECT * FROM payments_payment
    WHERE %(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s::uuid[])
),
refunds AS (
    SELECT * FROM payments_refund
    WHERE %(accounts)s::uuid[] IS NULL OR account_id = ANY(%(accounts)s::uuid[])
)

SELECT 'overlapping_periods' AS name, claim.account_id,
    format('the periods from %%s and from %%s overlap', claim.period_start, other.period_start) AS detail
FROM claims AS claim
JOIN rebilling_rebilling AS other ON other.account_id = claim.account_id AND other.id > claim.id
    AND other.period_start < claim.ended_on AND other.ended_on > claim.period_start
    AND NOT other.status IN ('SKIPPED', 'VOIDED')
WHERE NOT claim.status IN ('SKIPPED', 'VOIDED')

UNION ALL
SELECT 'surplus_period', claim.account_id,
    format('the period from %%s is charged, and the rebilling date is %%s', claim.period_start, account.rebilling_date)
FROM claims AS claim
JOIN accounts_account AS account ON account.id = claim.account_id
WHERE claim.status = 'CHARGED' AND claim.period_start >= account.rebilling_date

UNION ALL
SELECT 'period_cut_short', claim.account_id,
    format('the period from %%s to %%s ends on %%s, and neither was a new period agreed from there nor the account closed', claim.period_start,
        claim.period_end, claim.ended_on)
FROM claims AS claim
WHERE claim.ended_on < claim.period_end AND claim.status IN ('CHARGED', 'VOIDED')
    AND NOT EXISTS (
        -- Reopening cuts off what lies on or after its day, and writes terms that are anchored there. The daily run cuts
        -- a period where terms begin that were agreed before. At the same instant, terms that cut a period differ
        -- from its own by their day.
        SELECT FROM accounts_terms AS terms
        CROSS JOIN LATERAL (SELECT greatest(terms.created_at, terms.cut_at) AS at) AS last
        WHERE terms.account_id = claim.account_id AND terms.anchor_date = terms.effective_from
            AND (
                last.at >= claim.due_since AND terms.anchor_date = claim.ended_on AND claim.ended_on > claim.period_start
                OR last.at > claim.due_since AND terms.anchor_date <= claim.period_start AND claim.status = 'VOIDED'
            )
    )
    AND NOT EXISTS (
        -- Closing with a refund cuts the running period off, and says so in the history.
        SELECT FROM accounts_accountchange AS change
        WHERE change.account_id = claim.account_id AND change.changed_at >= claim.due_since
            AND change.after ->> 'inactive_reason' = 'closed'
            AND change.after ->> 'period_end' = claim.ended_on::text
    )

UNION ALL
SELECT 'price_of_no_terms', claim.account_id,
    format('the period from %%s costs %%s times %%s, which no terms of the account say', claim.period_start,
        claim.quantity, as_money(claim.unit_amount_minor, claim.currency))
FROM claims AS claim
WHERE claim.status <> 'SKIPPED' AND NOT EXISTS (
    SELECT FROM accounts_terms AS terms
    WHERE terms.account_id = claim.account_id AND terms.quantity = claim.quantity
        AND terms.unit_amount_minor = claim.unit_amount_minor AND terms.effective_from <= claim.period_start
        AND terms.withdrawn_at IS NULL
)

UNION ALL
SELECT 'discount_not_as_given', claim.account_id,
    format('the period from %%s has %%s off, and its discount takes off %%s', claim.period_start,
        as_money(claim.discount_minor, claim.currency), as_money(given.amount, claim.currency))
FROM claims AS claim
JOIN accounts_discount AS discount ON discount.id = claim.discount_id
CROSS JOIN LATERAL (
    SELECT claim.quantity * claim.unit_amount_minor::numeric AS price
) AS gross
CROSS JOIN LATERAL (
    -- Rounded half up; div() is exact.
    SELECT CASE
        WHEN claim.period_start < discount.starts_on OR claim.period_start >= discount.until THEN 0
        WHEN discount.percent IS NULL THEN least(gross.price, discount.amount_minor)
        ELSE div(2 * gross.price * discount.percent + 100, 200)
    END AS amount
) AS given
WHERE claim.discount_minor <> given.amount

UNION ALL
SELECT 'proration_of_no_terms', claim.account_id,
    format('the change on %%s bills the period from %%s at %%s from then on, which its terms don''t say', proration.changed_on,
        claim.period_start, as_money(proration.price_after_minor, claim.currency))
FROM claims AS claim
JOIN rebilling_proration AS proration ON proration.rebilling_id = claim.id
JOIN accounts_terms AS terms ON terms.id = proration.terms_id
LEFT JOIN accounts_discount AS discount ON discount.id = claim.discount_id
CROSS JOIN LATERAL (
    SELECT terms.quantity * terms.unit_amount_minor::numeric AS price
) AS gross
CROSS JOIN LATERAL (
    SELECT CASE
        WHEN discount.id IS NULL THEN 0
        WHEN discount.percent IS NULL THEN least(gross.price, discount.amount_minor)
        ELSE div(2 * gross.price * discount.percent + 100, 200)
    END AS amount
) AS given
WHERE terms.account_id <> claim.account_id OR terms.effective_from <> proration.changed_on
    -- A period that the change ended costs nothing from then on.
    OR proration.price_after_minor <> gross.price - given.amount
    AND NOT (proration.price_after_minor = 0 AND claim.ended_on = proration.changed_on)

UNION ALL
SELECT 'discount_of_too_many_periods', discount.account_id,
    format('%%s periods have a discount that is for %%s', count(*), discount.periods)
FROM claims AS claim
JOIN accounts_discount AS discount ON discount.id = claim.discount_id
WHERE NOT claim.status IN ('SKIPPED', 'VOIDED')
    OR claim.status = 'VOIDED' AND EXISTS (
        SELECT FROM invoices_invoiceline AS line
        WHERE line.rebilling_id = claim.id AND line.kind = 'period' AND line.credited_minor < line.total_minor
    )
GROUP BY discount.id, discount.account_id, discount.periods
HAVING count(*) > discount.periods

UNION ALL
SELECT 'line_of_no_item', invoice.account_id,
    format('line %%s of invoice %%s is for no item of the account, or is for a removed one', line.position,
        invoice.number)
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
LEFT JOIN invoices_item AS item ON item.id = line.item_id AND item.account_id = invoice.account_id
WHERE line.kind = 'item' AND (item.id IS NULL OR item.removed_at < invoice.created_at)

UNION ALL
SELECT 'item_is_not_its_lines', item.account_id,
    format('the item %%s: %%s of it is invoiced, and its lines say %%s', item.description,
        as_money(item.invoiced_minor, account.currency), as_money(line.amount, account.currency))
FROM invoices_item AS item
JOIN accounts_account AS account ON account.id = item.account_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0)::bigint AS amount FROM invoices_invoiceline WHERE item_id = item.id
) AS line
WHERE (%(accounts)s::uuid[] IS NULL OR item.account_id = ANY(%(accounts)s::uuid[]))
    AND item.invoiced_minor <> line.amount

UNION ALL
SELECT 'item_of_no_waiting_period', item.account_id,
    format('the item %%s is to be invoiced with the period from %%s, which is %%s', item.description,
        claim.period_start, claim.status)
FROM invoices_item AS item
JOIN rebilling_rebilling AS claim ON claim.id = item.rebilling_id
WHERE (%(accounts)s::uuid[] IS NULL OR item.account_id = ANY(%(accounts)s::uuid[]))
    AND (claim.status NOT IN ('DUE', 'PARKED') OR claim.account_id <> item.account_id OR claim.items_minor IS NULL)

UNION ALL
SELECT 'proration_is_not_its_items', claim.account_id,
    format('the change of terms on %%s: credit %%s, charge %%s, which the items that wait don''t say',
        proration.changed_on, as_money(proration.credit_minor, claim.currency),
        as_money(proration.charge_minor, claim.currency))
FROM claims AS claim
JOIN rebilling_proration AS proration ON proration.rebilling_id = claim.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0)::bigint AS charged,
        coalesce(sum(-amount_minor) FILTER (WHERE amount_minor < 0), 0)::bigint AS credited
    FROM invoices_item
    WHERE proration_id = proration.id
) AS item
WHERE (item.charged, item.credited) <> CASE
    WHEN proration.waits THEN (proration.charge_minor, proration.credit_minor) ELSE (0::bigint, 0::bigint)
END

UNION ALL
SELECT 'line_of_no_proration', invoice.account_id,
    format('line %%s of invoice %%s is for no change of terms', line.position, invoice.number)
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
WHERE line.kind = 'proration' AND NOT EXISTS (
    SELECT FROM rebilling_proration AS proration
    LEFT JOIN invoices_item AS item ON item.id = line.item_id
    WHERE proration.rebilling_id = line.rebilling_id
        AND CASE
            WHEN line.item_id IS NULL THEN proration.invoice_id = invoice.id
            ELSE proration.id = item.proration_id AND item.account_id = invoice.account_id
        END
)

UNION ALL
SELECT 'proration_is_not_its_lines', claim.account_id,
    format('the change of terms on %%s: credit %%s, charge %%s, which its lines and credit notes don''t say',
        proration.changed_on, as_money(proration.credit_total_minor, claim.currency),
        as_money(proration.charge_total_minor, claim.currency))
FROM claims AS claim
JOIN rebilling_proration AS proration ON proration.rebilling_id = claim.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor) FILTER (WHERE amount_minor > 0), 0) AS charged,
        coalesce(sum(total_minor) FILTER (WHERE amount_minor > 0), 0) AS charged_total,
        coalesce(sum(-amount_minor) FILTER (WHERE amount_minor < 0), 0) AS credited,
        coalesce(sum(-total_minor) FILTER (WHERE amount_minor < 0), 0) AS credited_total
    FROM invoices_invoiceline
    WHERE invoice_id = proration.invoice_id AND rebilling_id = claim.id AND kind = 'proration' AND item_id IS NULL
) AS line
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS credited FROM invoices_creditnote WHERE proration_id = proration.id
) AS noted
WHERE CASE
    WHEN proration.waits THEN noted.credited <> 0
    WHEN proration.invoice_id IS NULL
        THEN noted.credited <> proration.credit_total_minor - proration.charge_total_minor - proration.taken_along_minor
    ELSE noted.credited <> 0 OR (line.charged, line.charged_total, line.credited, line.credited_total) <> (
        proration.charge_minor, proration.charge_total_minor, proration.credit_minor, proration.credit_total_minor
    )
END

UNION ALL
SELECT 'credit_not_used', invoice.account_id,
    format('the account has %%s, and invoice %%s is OPEN', as_money(account.credit_balance_minor, account.currency),
        invoice.number)
FROM invoices AS invoice
JOIN accounts_account AS account ON account.id = invoice.account_id
WHERE invoice.status = 'OPEN' AND NOT invoice.in_flight AND account.credit_balance_minor > 0

UNION ALL
SELECT 'charged_period_without_line', claim.account_id,
    format('the period from %%s is %%s, and its invoice has no line for it', claim.period_start, claim.status)
FROM claims AS claim
LEFT JOIN period_lines AS line ON line.rebilling_id = claim.id AND line.invoice_id = claim.invoice_id
    AND line.account_id = claim.account_id AND line.amount_minor = claim.amount_minor
    AND line.discount_minor = claim.discount_minor AND line.tax_rate_id IS NOT DISTINCT FROM claim.tax_rate_id
    AND line.period_start = claim.period_start AND line.period_end = claim.period_end
WHERE claim.status IN ('CHARGED', 'VOIDED') AND line.id IS NULL

UNION ALL
SELECT 'voided_period_not_credited', claim.account_id,
    format('the period from %%s is VOIDED, and its lines are not credited', claim.period_start)
FROM claims AS claim
WHERE claim.status = 'VOIDED' AND claim.ended_on > claim.period_start AND (
    SELECT sum(line.total_minor - line.credited_minor)
    FROM invoices_invoiceline AS line
    JOIN invoices_invoice AS invoice ON invoice.id = line.invoice_id
    WHERE line.rebilling_id = claim.id AND invoice.total_minor
        > invoice.credited_minor + invoice.credited_to_balance_minor + invoice.credited_to_refund_minor
) > 0

UNION ALL
SELECT 'line_is_not_its_credit_notes', invoice.account_id,
    format('line %%s of invoice %%s says that %%s of it is credited; its credit notes say %%s, with %%s of tax',
        line.position, invoice.number, as_money(line.credited_minor, invoice.currency),
        as_money(noted.amount, invoice.currency), as_money(noted.tax, invoice.currency))
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0)::bigint AS amount, coalesce(sum(tax_minor), 0) AS tax
    FROM invoices_creditnoteline WHERE line_id = line.id
) AS noted
WHERE line.credited_minor <> noted.amount
    -- Its share of the line's tax, rounded half up, on either side of zero; div() is exact.
    OR noted.tax <> CASE line.total_minor WHEN 0 THEN 0 ELSE sign(line.total_minor) * div(
        2 * abs(line.tax_minor::numeric * line.credited_minor) + abs(line.total_minor),
        2 * abs(line.total_minor)::numeric
    ) END

UNION ALL
SELECT 'line_left_of_a_credited_invoice', invoice.account_id,
    format('invoice %%s is credited whole, and %%s of %%s is credited of its line %%s', invoice.number,
        as_money(line.credited_minor, invoice.currency), as_money(line.total_minor, invoice.currency), line.position)
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
WHERE line.credited_minor <> line.total_minor AND invoice.total_minor > 0 AND invoice.total_minor
    = invoice.credited_minor + invoice.credited_to_balance_minor + invoice.credited_to_refund_minor

UNION ALL
SELECT 'tax_is_not_its_rates', invoice.account_id,
    format('invoice %%s: %%s of %%s at %%s percent %%s %%s', invoice.number,
        as_money(sum(line.tax_minor), invoice.currency), rate.name, trim_scale(rate.percent),
        CASE WHEN rate.inclusive THEN 'in' ELSE 'on' END, as_money(sum(line.amount_minor), invoice.currency))
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
JOIN (
    SELECT *, CASE WHEN inclusive THEN 100 + percent ELSE 100 END AS whole FROM accounts_taxrate
) AS rate ON rate.id = line.tax_rate_id
GROUP BY invoice.id, invoice.account_id, invoice.number, invoice.currency, rate.id, rate.name, rate.percent,
    rate.inclusive, rate.whole
-- Rounded half up, once a rate, on either side of zero; div() is exact.
HAVING sum(line.tax_minor) <> sign(sum(line.amount_minor))
    * div(2 * abs(sum(line.amount_minor)) * rate.percent + rate.whole, 2 * rate.whole)
    OR sum(line.total_minor) <> sum(line.amount_minor) + CASE WHEN rate.inclusive THEN 0 ELSE sum(line.tax_minor) END

UNION ALL
SELECT 'line_of_no_charged_period', line.account_id,
    format('a line of the period from %%s names a rebilling that is not charged by it', line.period_start)
FROM period_lines AS line
LEFT JOIN rebilling_rebilling AS claim ON claim.id = line.rebilling_id AND claim.invoice_id = line.invoice_id
    AND claim.status IN ('CHARGED', 'VOIDED')
WHERE claim.id IS NULL

UNION ALL
SELECT 'period_with_two_lines', min(line.account_id::text)::uuid,
    format('the rebilling %%s has %%s period lines', line.rebilling_id, count(*))
FROM period_lines AS line
GROUP BY line.rebilling_id HAVING count(*) > 1

UNION ALL
SELECT 'line_without_entry', invoice.account_id,
    format('line %%s of invoice %%s has no %%s entry of %%s', line.position, invoice.number, part.type,
        as_money(part.amount, invoice.currency))
FROM invoices AS invoice
JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
CROSS JOIN LATERAL (
    VALUES
        (CASE WHEN line.amount_minor < 0 THEN 'deduction' ELSE 'charge' END, abs(line.total_minor - line.tax_minor)),
        (CASE WHEN line.amount_minor < 0 THEN 'tax_deduction' ELSE 'tax' END, abs(line.tax_minor))
) AS part (type, amount)
LEFT JOIN entries AS entry ON entry.line_id = line.id AND entry.type = part.type
    AND entry.invoice_id = invoice.id AND entry.amount_minor = part.amount
WHERE part.amount > 0 AND entry.id IS NULL

UNION ALL
SELECT 'charge_that_is_no_lines', entry.account_id, format('the %%s %%s', entry.type, entry.id)
FROM entries AS entry
LEFT JOIN invoices_invoiceline AS line ON line.id = entry.line_id AND line.invoice_id = entry.invoice_id
    AND CASE WHEN entry.type IN ('charge', 'tax') THEN entry.amount_minor ELSE -entry.amount_minor END
        = CASE WHEN entry.type IN ('tax', 'tax_deduction') THEN line.tax_minor ELSE line.total_minor - line.tax_minor END
WHERE entry.type IN ('charge', 'tax', 'deduction', 'tax_deduction')
    AND (line.id IS NULL OR entry.id <> (
        SELECT first.id FROM ledger_entry AS first
        WHERE first.type = entry.type AND first.invoice_id = entry.invoice_id AND first.line_id = entry.line_id
        ORDER BY first.id LIMIT 1
    ))

UNION ALL
SELECT 'invoice_is_not_its_lines', invoice.account_id,
    format('invoice %%s: total %%s, lines %%s; tax %%s, lines %%s', invoice.number,
        as_money(invoice.total_minor, invoice.currency), as_money(coalesce(sum(line.total_minor), 0), invoice.currency),
        as_money(invoice.tax_minor, invoice.currency), as_money(coalesce(sum(line.tax_minor), 0), invoice.currency))
FROM invoices AS invoice
LEFT JOIN invoices_invoiceline AS line ON line.invoice_id = invoice.id
GROUP BY invoice.id, invoice.account_id, invoice.number, invoice.total_minor, invoice.tax_minor, invoice.currency
HAVING (invoice.total_minor, invoice.tax_minor)
    <> (coalesce(sum(line.total_minor), 0), coalesce(sum(line.tax_minor), 0))

UNION ALL
SELECT 'invoice_is_not_its_credit_notes', invoice.account_id, format('invoice %%s', invoice.number)
FROM invoices AS invoice
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS amount, coalesce(sum(tax_minor), 0) AS tax,
        coalesce(sum(to_balance_minor), 0) AS to_balance,
        coalesce(sum(to_refund_minor), 0) AS to_refund
    FROM invoices_creditnote WHERE invoice_id = invoice.id
) AS notes ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(signed.amount), 0) AS amount,
        coalesce(sum(signed.amount) FILTER (WHERE type IN ('tax_credit', 'tax_deduction_reversed')), 0) AS tax
    FROM ledger_entry
    CROSS JOIN LATERAL (
        SELECT CASE credit WHEN 'receivable' THEN amount_minor ELSE -amount_minor END AS amount
    ) AS signed
    WHERE type IN ('credit_note', 'tax_credit', 'deduction_reversed', 'tax_deduction_reversed')
        AND invoice_id = invoice.id
) AS posted ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(noted.tax_minor), 0) AS tax
    FROM invoices_creditnoteline AS noted
    JOIN invoices_invoiceline AS line ON line.id = noted.line_id
    WHERE line.invoice_id = invoice.id
) AS of_lines ON true
WHERE invoice.credited_minor + invoice.credited_to_balance_minor + invoice.credited_to_refund_minor <> notes.amount
    OR invoice.credited_to_balance_minor <> notes.to_balance OR invoice.credited_to_refund_minor <> notes.to_refund
    OR (posted.amount, posted.tax, of_lines.tax) <> (notes.amount, notes.tax, notes.tax)

UNION ALL
SELECT 'invoice_is_not_its_balance_uses', invoice.account_id,
    format('invoice %%s: %%s of the balance', invoice.number, as_money(invoice.balance_applied_minor, invoice.currency))
FROM invoices AS invoice
LEFT JOIN LATERAL (
    SELECT coalesce(sum(CASE kind WHEN 'brought_forward' THEN -amount_minor ELSE amount_minor END), 0) AS amount
    FROM invoices_balanceuse WHERE invoice_id = invoice.id
) AS used ON true
WHERE invoice.balance_applied_minor <> used.amount

UNION ALL
SELECT 'invoice_is_not_its_payments', invoice.account_id,
    format('invoice %%s: paid %%s, payments %%s', invoice.number, as_money(invoice.paid_minor, invoice.currency),
        as_money(coalesce(received.amount, 0), invoice.currency))
FROM invoices AS invoice
LEFT JOIN LATERAL (
    -- Of a payment that was taken back, what had been refunded before stays paid.
    SELECT sum(CASE
        WHEN EXISTS (
            SELECT FROM ledger_entry AS reversed
            WHERE reversed.type = 'payment_reversed' AND reversed.payment_id = payment.id
                AND reversed.account_id = payment.account_id
        ) THEN (
            SELECT coalesce(sum(refund.amount_minor), 0) FROM payments_refund AS refund
            WHERE refund.payment_id = payment.id AND refund.source = 'payment' AND refund.status = 'SUCCEEDED'
        )
        ELSE payment.amount_minor - payment.excess_minor
    END) AS amount
    FROM payments_payment AS payment
    WHERE payment.invoice_id = invoice.id AND payment.status = 'SUCCEEDED'
) AS received ON true
WHERE invoice.paid_minor <> coalesce(received.amount, 0)

UNION ALL
SELECT 'invoice_is_not_its_refunds', invoice.account_id,
    format('invoice %%s: refunded %%s, in flight %%s', invoice.number, as_money(invoice.refunded_minor, invoice.currency),
        as_money(invoice.refunding_minor, invoice.currency))
FROM invoices AS invoice
LEFT JOIN LATERAL (
    SELECT coalesce(sum(refund.amount_minor) FILTER (WHERE refund.status = 'SUCCEEDED'), 0) AS refunded,
        coalesce(sum(refund.amount_minor) FILTER (WHERE refund.status IN ('SUBMITTED', 'UNKNOWN')), 0) AS refunding
    FROM payments_payment AS payment
    JOIN payments_refund AS refund ON refund.payment_id = payment.id AND refund.source = 'payment'
    WHERE payment.invoice_id = invoice.id
) AS sent ON true
WHERE (invoice.refunded_minor, invoice.refunding_minor) <> (sent.refunded, sent.refunding)

UNION ALL
SELECT 'invoice_is_not_its_write_offs', invoice.account_id,
    format('invoice %%s: written off %%s', invoice.number, as_money(invoice.written_off_minor, invoice.currency))
FROM invoices AS invoice
LEFT JOIN LATERAL (
    SELECT coalesce(sum(CASE entry.type
        WHEN 'write_off' THEN entry.amount_minor
        WHEN 'recovery' THEN -entry.amount_minor
        WHEN 'reversal' THEN CASE entry.credit WHEN 'bad_debt' THEN -entry.amount_minor ELSE 0 END
        ELSE 0
    END), 0) AS amount
    FROM ledger_entry AS entry WHERE entry.invoice_id = invoice.id
) AS posted ON true
WHERE invoice.written_off_minor <> posted.amount

UNION ALL
SELECT 'invoice_marked_wrongly', invoice.account_id,
    format('invoice %%s is %%s, and a payment of it is %%s', invoice.number,
        CASE WHEN invoice.in_flight THEN 'in flight' ELSE 'not in flight' END,
        CASE WHEN invoice.in_flight THEN 'not' ELSE 'in flight' END)
FROM invoices AS invoice
WHERE invoice.in_flight <> EXISTS (
    SELECT FROM payments_payment AS payment
    WHERE payment.invoice_id = invoice.id AND payment.status IN ('SUBMITTED', 'UNKNOWN')
)

UNION ALL
SELECT 'payment_without_entry', payment.account_id, format('the payment %%s', payment.id)
FROM payments AS payment
LEFT JOIN entries AS entry ON entry.type = 'payment' AND entry.payment_id = payment.id
    AND (entry.account_id, entry.amount_minor, entry.currency)
        = (payment.account_id, payment.amount_minor, payment.currency)
WHERE payment.status = 'SUCCEEDED' AND entry.id IS NULL

UNION ALL
SELECT 'refund_without_entry', refund.account_id, format('the refund %%s', refund.id)
FROM refunds AS refund
LEFT JOIN entries AS entry ON entry.type = 'refund' AND entry.refund_id = refund.id
    AND (entry.account_id, entry.amount_minor, entry.currency)
        = (refund.account_id, refund.amount_minor, refund.currency)
WHERE refund.status = 'SUCCEEDED' AND entry.id IS NULL

UNION ALL
SELECT 'entry_without_cause', entry.account_id, format('the %%s %%s', entry.type, entry.id)
FROM entries AS entry
LEFT JOIN payments_payment AS payment ON payment.id = entry.payment_id AND payment.status = 'SUCCEEDED'
    AND payment.account_id = entry.account_id
    AND entry.amount_minor
        = payment.amount_minor - CASE entry.type WHEN 'payment' THEN 0 ELSE payment.refunded_minor END
LEFT JOIN payments_refund AS refund ON refund.id = entry.refund_id AND refund.status = 'SUCCEEDED'
    AND refund.account_id = entry.account_id AND refund.amount_minor = entry.amount_minor
WHERE entry.type IN ('payment', 'payment_reversed') AND payment.id IS NULL
    OR entry.type IN ('refund', 'refund_reversed') AND refund.id IS NULL

UNION ALL
SELECT 'payment_refunded_wrongly', payment.account_id, format('the payment %%s', payment.id)
FROM payments AS payment
WHERE payment.refunded_minor <> (
    SELECT coalesce(sum(amount_minor), 0) FROM payments_refund
    WHERE payment_id = payment.id AND status = 'SUCCEEDED'
)

UNION ALL
SELECT 'collected_more_than_asked', payment.account_id,
    format('the payment %%s of %%s: its invoice %%s never asked for so much', payment.id,
        as_money(payment.amount_minor, payment.currency), invoice.number)
FROM payments AS payment
JOIN invoices_invoice AS invoice ON invoice.id = payment.invoice_id
WHERE payment.gateway <> 'offline' AND payment.status <> 'DECLINED'
    AND payment.amount_minor > invoice.total_minor + (
        SELECT coalesce(sum(amount_minor), 0) FROM invoices_balanceuse
        WHERE invoice_id = invoice.id AND kind = 'brought_forward'
    ) + (
        -- Money that was taken back was asked for before credit took its place.
        SELECT coalesce(sum(amount_minor), 0) FROM ledger_entry
        WHERE invoice_id = invoice.id AND type = 'payment_reversed'
    )

UNION ALL
SELECT 'balance_is_not_the_books', account.id,
    format('credit %%s, outstanding %%s, owes %%s by the ledger',
        as_money(account.credit_balance_minor, account.currency), as_money(owed.outstanding, account.currency),
        as_money(posted.balance, account.currency))
FROM accounts_account AS account
LEFT JOIN LATERAL (
    SELECT coalesce(sum(
        total_minor - credited_minor - balance_applied_minor - paid_minor - written_off_minor
    ), 0) AS outstanding
    FROM invoices_invoice WHERE account_id = account.id
) AS owed ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(CASE
        WHEN debit = 'receivable' THEN amount_minor WHEN credit = 'receivable' THEN -amount_minor ELSE 0
    END), 0) AS balance
    FROM ledger_entry WHERE account_id = account.id
) AS posted ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(amount_minor), 0) AS reserved FROM payments_refund
    WHERE account_id = account.id AND source = 'balance' AND status IN ('SUBMITTED', 'UNKNOWN')
) AS refunding ON true
WHERE (%(accounts)s::uuid[] IS NULL OR account.id = ANY(%(accounts)s::uuid[]))
    AND account.credit_balance_minor + refunding.reserved <> owed.outstanding - posted.balance

ORDER BY name, account_id, detail
