"""A year of one customer on the platform of this machine: each day of it is swept, each card is a simulated provider's,
and everything is done by API. What comes of it is worked out by hand here, and read line by line.

Lovelace GmbH signs up for a trial on 17 January 2028, so that its periods begin on the last day of a month, and pays in
EUR with VAT 19% on top. A period has as many days as its month: what a change costs goes by them. Statements are

    day, type, debit, credit, amount, and what the customer owes after it
"""

from collections.abc import Callable
from pathlib import Path

from tests.support.customers import Customer, customer_on
from tests.support.platforms import Start
from tests.support.statements import (
    books_of,
    entry_lines,
    invoice_lines,
    month_lines,
    payment_lines,
    upcoming_lines,
    written,
)

PLANS = [
    {"code": "basic", "name": "Basic", "unit_amount_minor": 29_00, "trial_days": 14},
    {"code": "team", "name": "Team", "unit_amount_minor": 49_90},
]
MONTHLY = {"currency": "EUR", "interval_count": 1, "interval_unit": "month"}


class TestAYear:
    def test_of_a_customer_is_billed_as_a_careful_accountant_would(self, tmp_path: Path, start: Start) -> None:
        with customer_on(day="2028-01-17", data=tmp_path, start=start, SELLER_NAME="Workbench GmbH") as customer:
            for chapter in CHAPTERS:
                chapter(customer)


def statement(customer: Customer, *, owed_before: int = 0) -> list[str]:
    """What the ledger has of it since the last look."""
    return list(entry_lines(customer.new_entries(), owed_minor=owed_before))


def newest_invoice(customer: Customer) -> list[str]:
    return list(invoice_lines(customer.invoices()[-1]))


def signs_up_for_a_trial(customer: Customer) -> None:
    for plan in PLANS:
        customer.api.post("/v1/plans", MONTHLY | plan)
    vat = customer.api.post("/v1/tax-rates", {"name": "VAT", "percent": "19", "inclusive": False})
    opened = customer.signs_up(
        name="Lovelace GmbH",
        email="ada@lovelace.example",
        plan="basic",
        external_reference="lovelace",
        tax_rate=vat["id"],
        payment_customer="cus_lovelace",
        payment_method="pm_card",
        address_line1="Unter den Linden 5",
        city="Berlin",
        country="DE",
    )
    assert (opened["status"], opened["not_billed"]) == ("ACTIVE", "starts_later")
    customer.lives_until("2028-01-30")
    assert (customer.invoices(), statement(customer)) == ([], [])
    assert customer.where_it_stands() == [
        "ACTIVE since 17 Jan 2028: opened.",
        "It is on its trial, which ends on 31 Jan 2028.",
        "The next billing day is 31 Jan 2028.",
    ]


def is_charged_when_the_trial_is_over(customer: Customer) -> None:
    customer.lives_until("2028-01-31")
    # 29.00, and 19% of it is 5.51.
    (first,) = customer.invoices()
    assert (first["seller"], first["customer_name"]) == ("Workbench GmbH", "Lovelace GmbH")
    assert (first["customer_address"], first["customer_country"]) == ("Unter den Linden 5, Berlin", "DE")
    assert newest_invoice(customer) == written("""
        0001 2028-01-31 PAID
        Basic, 31 Jan to 28 Feb 2028 | 1 at 29.00 | 29.00 tax 5.51 = 34.51
        total 34.51, tax 5.51, paid 34.51
    """)
    assert statement(customer) == written("""
        2028-01-31 charge  receivable revenue     29.00 29.00
        2028-01-31 tax     receivable tax_payable  5.51 34.51
        2028-01-31 payment cash       receivable  34.51  0.00
    """)


def upgrades(customer: Customer) -> None:
    customer.lives_until("2028-02-10")
    customer.changes_terms(plan="team", reason="They need the reports.")
    # 19 of 29 days are left. Unused: 29.00 x 19/29 = 19.00. Charged: 49.90 x 19/29 = 32.693. 19% of 13.69 is 2.601.
    assert newest_invoice(customer) == written("""
        0002 2028-02-10 PAID
        Unused days of Basic, 10 Feb to 28 Feb 2028 | 1 at 29.00 | -19.00 tax -3.61 = -22.61
        Team, 10 Feb to 28 Feb 2028 | 1 at 49.90 | 32.69 tax 6.21 = 38.90
        total 16.29, tax 2.60, paid 16.29
    """)
    assert statement(customer) == written("""
        2028-02-10 deduction     revenue     receivable  19.00 -19.00
        2028-02-10 charge        receivable  revenue     32.69   13.69
        2028-02-10 tax_deduction tax_payable receivable   3.61  10.08
        2028-02-10 tax           receivable  tax_payable  6.21   16.29
        2028-02-10 payment       cash        receivable  16.29   0.00
    """)


def adds_seats(customer: Customer) -> None:
    customer.lives_until("2028-02-20")
    customer.changes_terms(quantity=3, reason="Two people joined.")
    # 9 of 29 days are left. Charged: 149.70 x 9/29 = 46.459. In all, the period is to come to
    # (29.00 x 10 + 49.90 x 10 + 149.70 x 9) / 29 = 73.666, and 29.00 - 19.00 + 32.69 = 42.69 was billed:
    # 42.69 + 46.46 - 73.67 = 15.48 is unused. 19% of 30.98 is 5.886.
    assert newest_invoice(customer) == written("""
        0003 2028-02-20 PAID
        Unused days of Team, 20 Feb to 28 Feb 2028 | 1 at 49.90 | -15.48 tax -2.94 = -18.42
        Team x 3, 20 Feb to 28 Feb 2028 | 3 at 49.90 | 46.46 tax 8.83 = 55.29
        total 36.87, tax 5.89, paid 36.87
    """)
    assert statement(customer) == written("""
        2028-02-20 deduction     revenue     receivable  15.48 -15.48
        2028-02-20 charge        receivable  revenue     46.46   30.98
        2028-02-20 tax_deduction tax_payable receivable   2.94  28.04
        2028-02-20 tax           receivable  tax_payable  8.83   36.87
        2028-02-20 payment       cash        receivable  36.87   0.00
    """)


def is_declined(customer: Customer) -> None:
    customer.lives_until("2028-02-25")
    customer.changes_card("pm_declined_insufficient_funds", reason="Another company card.")
    customer.lives_until("2028-03-02")
    # 3 x 49.90 = 149.70, and 19% of it is 28.443.
    assert newest_invoice(customer) == written("""
        0004 2028-02-29 OPEN
        Team x 3, 29 Feb to 30 Mar 2028 | 3 at 49.90 | 149.70 tax 28.44 = 178.14
        total 178.14, tax 28.44, outstanding 178.14
    """)
    assert statement(customer) == written("""
        2028-02-29 charge receivable revenue     149.70 149.70
        2028-02-29 tax    receivable tax_payable  28.44 178.14
    """)
    assert customer.where_it_stands() == [
        f"PAST_DUE since 29 Feb 2028: invoice {customer.invoices()[-1]['number']} of 178.14 EUR was declined "
        "(insufficient_funds).",
        "178.14 EUR of 1 open invoice is outstanding.",
        "Next step 2 of 4 of dunning on 3 Mar 2028; INACTIVE after the last.",
        "The next billing day is 31 Mar 2028.",
    ]


def gives_a_new_card(customer: Customer) -> None:
    customer.gives_new_card("pm_card_new")
    assert customer.account()["status"] == "ACTIVE"
    assert statement(customer, owed_before=178_14) == written("""
        2028-03-02 payment cash receivable 178.14 0.00
    """)
    assert customer.story_of(customer.invoices()[-1]) == [
        "Issued on 29 Feb 2028 for 178.14 EUR, to be collected at once.",
        "VAT 19% of 149.70 EUR: 28.44 EUR.",
        "A payment of 178.14 EUR was declined on 29 Feb 2028 (insufficient_funds).",
        "A payment of 178.14 EUR was declined on 1 Mar 2028 as a step of dunning (insufficient_funds).",
        "178.14 EUR was collected on 2 Mar 2028 through stripe with another payment method.",
        "It is paid.",
    ]


def downgrades_from_the_next_period_on(customer: Customer) -> None:
    customer.lives_until("2028-03-15")
    change = customer.changes_terms(plan="basic", quantity=2, effective="period_end", reason="The project is over.")
    assert (change["proration"], statement(customer)) == (None, [])
    assert customer.where_it_stands()[1:] == [
        "The next billing day is 31 Mar 2028.",
        "From 31 Mar 2028 on it is billed 58.00 EUR a period (Basic x 2).",
    ]
    customer.lives_until("2028-03-31")
    # 2 x 29.00 = 58.00, and 19% of it is 11.02.
    assert newest_invoice(customer) == written("""
        0005 2028-03-31 PAID
        Basic x 2, 31 Mar to 29 Apr 2028 | 2 at 29.00 | 58.00 tax 11.02 = 69.02
        total 69.02, tax 11.02, paid 69.02
    """)
    assert statement(customer) == written("""
        2028-03-31 charge  receivable revenue     58.00 58.00
        2028-03-31 tax     receivable tax_payable 11.02 69.02
        2028-03-31 payment cash       receivable  69.02  0.00
    """)


def pauses(customer: Customer) -> None:
    customer.lives_until("2028-04-20")
    customer.asks_for("pause", until="2028-07-01", reason="Nobody is in the office.")
    assert customer.where_it_stands()[1:] == [
        "It is to be paused on 30 Apr 2028: Nobody is in the office.",
        "It is to resume on 1 Jul 2028: Nobody is in the office.",
        "No further period is billed before that.",
    ]
    customer.lives_until("2028-06-01")
    assert statement(customer) == []
    assert customer.where_it_stands() == [
        "INACTIVE (paused) since 30 Apr 2028: Nobody is in the office.",
        "It is to resume on 1 Jul 2028: Nobody is in the office.",
        "It isn't billed until it is resumed.",
    ]


def resumes_earlier(customer: Customer) -> None:
    customer.asks_for("resume", on="2028-06-10", reason="They are back earlier.")
    customer.lives_until("2028-06-10")
    # May, and June until the 10th, aren't billed; periods are counted from the 10th.
    assert newest_invoice(customer) == written("""
        0006 2028-06-10 PAID
        Basic x 2, 10 Jun to 9 Jul 2028 | 2 at 29.00 | 58.00 tax 11.02 = 69.02
        total 69.02, tax 11.02, paid 69.02
    """)
    assert statement(customer) == written("""
        2028-06-10 charge  receivable revenue     58.00 58.00
        2028-06-10 tax     receivable tax_payable 11.02 69.02
        2028-06-10 payment cash       receivable  69.02  0.00
    """)


def has_a_discount_of_two_periods(customer: Customer) -> None:
    customer.lives_until("2028-07-01")
    customer.asks_for("discount", percent="25", periods=2, reason="Summer offer.")
    customer.lives_until("2028-08-10")
    july, august = customer.invoices()[6:]
    # 58.00 less a quarter is 43.50, and 19% of it is 8.265.
    assert list(invoice_lines(july)) == written("""
        0007 2028-07-10 PAID
        Basic x 2, 10 Jul to 9 Aug 2028 | 2 at 29.00 less 14.50 | 43.50 tax 8.27 = 51.77
        total 51.77, tax 8.27, paid 51.77
    """)
    assert list(invoice_lines(august)) == written("""
        0008 2028-08-10 PAID
        Basic x 2, 10 Aug to 9 Sep 2028 | 2 at 29.00 less 14.50 | 43.50 tax 8.27 = 51.77
        total 51.77, tax 8.27, paid 51.77
    """)
    assert statement(customer) == written("""
        2028-07-10 charge  receivable revenue     43.50 43.50
        2028-07-10 tax     receivable tax_payable  8.27 51.77
        2028-07-10 payment cash       receivable  51.77  0.00
        2028-08-10 charge  receivable revenue     43.50 43.50
        2028-08-10 tax     receivable tax_payable  8.27 51.77
        2028-08-10 payment cash       receivable  51.77  0.00
    """)


def adds_a_seat_at_the_discounted_price(customer: Customer) -> None:
    customer.lives_until("2028-08-20")
    customer.changes_terms(quantity=3, reason="An intern for three weeks.")
    # 21 of 31 days are left. Charged: 87.00 less a quarter is 65.25, x 21/31 = 44.202; undiscounted it were
    # 87.00 x 21/31 = 58.935. In all the period is to come to (43.50 x 10 + 65.25 x 21) / 31 = 58.234, and 43.50 was
    # billed: 43.50 + 44.20 - 58.23 = 29.47 is unused. 19% of 14.73 is 2.799.
    assert newest_invoice(customer) == written("""
        0009 2028-08-20 PAID
        Unused days of Basic x 2 (25% off), 20 Aug to 9 Sep 2028 | 2 at 29.00 | -29.47 tax -5.60 = -35.07
        Basic x 3, 20 Aug to 9 Sep 2028 | 3 at 29.00 less 14.74 | 44.20 tax 8.40 = 52.60
        total 17.53, tax 2.80, paid 17.53
    """)
    assert statement(customer) == written("""
        2028-08-20 deduction     revenue     receivable  29.47 -29.47
        2028-08-20 charge        receivable  revenue     44.20    14.73
        2028-08-20 tax_deduction tax_payable receivable   5.60   9.13
        2028-08-20 tax           receivable  tax_payable  8.40   17.53
        2028-08-20 payment       cash        receivable  17.53   0.00
    """)


def takes_two_seats_away(customer: Customer) -> None:
    customer.lives_until("2028-09-01")
    customer.changes_terms(quantity=1, reason="Only one is left.")
    # 9 of 31 days are left. Charged: 29.00 less a quarter is 21.75, x 9/31 = 6.315. In all the period is to come to
    # (43.50 x 10 + 65.25 x 12 + 21.75 x 9) / 31 = 45.605, and 58.23 was billed: 58.23 + 6.31 - 45.60 = 18.94 is unused.
    # 6.31 - 18.94 = -12.63, and 19% of it is -2.3997: 15.03 is given back, and is credit, the invoice being paid.
    assert newest_invoice(customer)[3:] == [
        "total 17.53, tax 2.80, paid 17.53, credited to balance 15.03",
        "CN-0001 2028-09-01 15.03, tax 2.40: Change of terms on 1 Sep 2028: -22.54 EUR Unused days of Basic x 3 "
        "(25% off), 1 Sep to 9 Sep 2028; 7.51 EUR Basic, 1 Sep to 9 Sep 2028",
    ]
    assert statement(customer) == written("""
        2028-09-01 credit_note revenue     receivable 12.63 -12.63
        2028-09-01 tax_credit  tax_payable receivable  2.40 -15.03
    """)
    # The two periods with the discount are over. Of 34.51, the credit pays 15.03; the customer sees it coming.
    assert list(upcoming_lines(customer.upcoming_invoice())) == written("""
        2028-09-10
        Basic, 10 Sep to 9 Oct 2028 | 1 at 29.00 | 29.00 tax 5.51 = 34.51
        total 34.51, tax 5.51, balance applied 15.03, outstanding 19.48
    """)
    customer.lives_until("2028-09-10")
    assert newest_invoice(customer) == written("""
        0010 2028-09-10 PAID
        Basic, 10 Sep to 9 Oct 2028 | 1 at 29.00 | 29.00 tax 5.51 = 34.51
        total 34.51, tax 5.51, balance applied 15.03, paid 19.48
    """)
    assert statement(customer, owed_before=-15_03) == written("""
        2028-09-10 charge  receivable revenue     29.00 13.97
        2028-09-10 tax     receivable tax_payable  5.51 19.48
        2028-09-10 payment cash       receivable  19.48  0.00
    """)


def cancels(customer: Customer) -> None:
    customer.lives_until("2028-09-25")
    customer.asks_for("close", refund="prorated", reason="They build it themselves now.")
    # 15 of 30 days are left: half of 34.51 is 17.255, sent back to the card, and half of its tax is 2.755.
    assert newest_invoice(customer)[2:] == written("""
        total 34.51, tax 5.51, balance applied 15.03, paid 19.48, refunded 17.26, credited to refund 17.26
        CN-0002 2028-09-25 17.26, tax 2.76: They build it themselves now.
    """)
    assert statement(customer) == written("""
        2028-09-25 refund      receivable  cash       17.26 17.26
        2028-09-25 credit_note revenue     receivable 14.50  2.76
        2028-09-25 tax_credit  tax_payable receivable  2.76  0.00
    """)
    assert customer.story_of(customer.invoices()[-1]) == [
        "Issued on 10 Sep 2028 for 34.51 EUR, to be collected at once.",
        "VAT 19% of 29.00 EUR: 5.51 EUR.",
        "15.03 EUR was paid from the account's credit balance on 10 Sep 2028.",
        "19.48 EUR was collected on 10 Sep 2028 through stripe.",
        "17.26 EUR was refunded on 25 Sep 2028: They build it themselves now.",
        "Credit note CN-0002 on 25 Sep 2028, 17.26 EUR for the refund: They build it themselves now.",
        "It is paid.",
    ]
    assert customer.where_it_stands() == [
        "INACTIVE (closed) since 25 Sep 2028: They build it themselves now.",
        "It isn't billed until it is reopened.",
    ]
    assert customer.upcoming_invoice() == "closed"


def is_won_back(customer: Customer) -> None:
    customer.lives_until("2028-11-15")
    assert statement(customer) == []
    customer.asks_for("discount", amount_minor=9_00, periods=1, reason="Welcome back.")
    customer.asks_for("reopen", reason="They came back.")
    # 29.00 - 9.00 = 20.00, and 19% of it is 3.80.
    assert newest_invoice(customer) == written("""
        0011 2028-11-15 PAID
        Basic, 15 Nov to 14 Dec 2028 | 1 at 29.00 less 9.00 | 20.00 tax 3.80 = 23.80
        total 23.80, tax 3.80, paid 23.80
    """)
    assert statement(customer) == written("""
        2028-11-15 charge  receivable revenue     20.00 20.00
        2028-11-15 tax     receivable tax_payable  3.80 23.80
        2028-11-15 payment cash       receivable  23.80  0.00
    """)
    customer.lives_until("2029-01-16")
    assert [line for invoice in customer.invoices()[11:] for line in invoice_lines(invoice)] == written("""
        0012 2028-12-15 PAID
        Basic, 15 Dec 2028 to 14 Jan 2029 | 1 at 29.00 | 29.00 tax 5.51 = 34.51
        total 34.51, tax 5.51, paid 34.51
        0013 2029-01-15 PAID
        Basic, 15 Jan to 14 Feb 2029 | 1 at 29.00 | 29.00 tax 5.51 = 34.51
        total 34.51, tax 5.51, paid 34.51
    """)
    assert statement(customer) == written("""
        2028-12-15 charge  receivable revenue     29.00 29.00
        2028-12-15 tax     receivable tax_payable  5.51 34.51
        2028-12-15 payment cash       receivable  34.51  0.00
        2029-01-15 charge  receivable revenue     29.00 29.00
        2029-01-15 tax     receivable tax_payable  5.51 34.51
        2029-01-15 payment cash       receivable  34.51  0.00
    """)


def pays_each_invoice_once(customer: Customer) -> None:
    assert list(payment_lines(customer.payments())) == written("""
        2028-01-31  34.51 invoice        SUCCEEDED
        2028-02-10  16.29 invoice        SUCCEEDED
        2028-02-20  36.87 invoice        SUCCEEDED
        2028-02-29 178.14 invoice        DECLINED insufficient_funds
        2028-03-01 178.14 dunning        DECLINED insufficient_funds
        2028-03-02 178.14 payment_method SUCCEEDED
        2028-03-31  69.02 invoice        SUCCEEDED
        2028-06-10  69.02 invoice        SUCCEEDED
        2028-07-10  51.77 invoice        SUCCEEDED
        2028-08-10  51.77 invoice        SUCCEEDED
        2028-08-20  17.53 invoice        SUCCEEDED
        2028-09-10  19.48 invoice        SUCCEEDED
        2028-11-15  23.80 invoice        SUCCEEDED
        2028-12-15  34.51 invoice        SUCCEEDED
        2029-01-15  34.51 invoice        SUCCEEDED
    """)


def leaves_books_that_agree(customer: Customer) -> None:
    entries = customer.entries()
    # By month: revenue, tax, cash, and what is owed at its end.
    assert list(month_lines(entries)) == written("""
        2028-01  29.00  5.51  34.51   0.00
        2028-02 194.37 36.93  53.16 178.14
        2028-03  58.00 11.02 247.16   0.00
        2028-06  58.00 11.02  69.02   0.00
        2028-07  43.50  8.27  51.77   0.00
        2028-08  58.23 11.07  69.30   0.00
        2028-09   1.87  0.35   2.22   0.00
        2028-11  20.00  3.80  23.80   0.00
        2028-12  29.00  5.51  34.51   0.00
        2029-01  29.00  5.51  34.51   0.00
    """)
    # 19% of 520.97 is 98.984, and 520.97 + 98.99 is what the provider has taken and not sent back.
    assert books_of(entries) == {"receivable": 0, "revenue": -520_97, "tax_payable": -98_99, "cash": 619_96}
    assert customer.provider_totals() == {"EUR": 619_96}
    assert [customer.owes(as_of=day) for day in ("2028-02-29", "2028-09-01", "2029-01-16")] == [178_14, -15_03, 0]
    # Support reads the same statement, with the currency.
    on_the_page = [" ".join(row[:6]).replace(" EUR", "") for row in customer.rows("Ledger")]
    assert on_the_page == list(entry_lines(entries, owed_minor=0))


def leaves_a_history_in_words(customer: Customer) -> None:
    """Each change on the account's page: before, after, and why."""
    opened, *changes = [" | ".join(row[1:4]) for row in customer.rows("History")]
    assert opened == (
        " | status ACTIVE, plan basic, quantity 1, unit price 29.00 EUR, anchor date 2028-01-31, "
        "in force from 2028-01-17, trial ends on 2028-01-31, tax rate VAT 19% | opened"
    )
    assert changes == [
        "plan basic, unit price 29.00 EUR | plan team, unit price 49.90 EUR, in force from 2028-02-10"
        " | They need the reports.",
        "quantity 1 | quantity 3, in force from 2028-02-20 | Two people joined.",
        "payment method pm_card | payment method pm_declined_insufficient_funds | Another company card.",
        "status ACTIVE | status PAST_DUE | an invoice was declined",
        "payment method pm_declined_insufficient_funds | payment method pm_card_new"
        " | given by the customer in a payment method session",
        "status PAST_DUE | status ACTIVE | nothing is past due",
        "plan team, quantity 3, unit price 49.90 EUR | plan basic, quantity 2, unit price 29.00 EUR, "
        "in force from 2028-03-31 | The project is over.",
        "pauses on none, resumes on none | pauses on 2028-04-30, resumes on 2028-07-01 | Nobody is in the office.",
        "status ACTIVE, inactive reason none, pauses on 2028-04-30 | status INACTIVE, inactive reason paused, "
        "pauses on none | Nobody is in the office.",
        "resumes on 2028-07-01 | resumes on 2028-06-10 | They are back earlier.",
        "status INACTIVE, inactive reason paused, anchor date 2028-01-31, next billing date 2028-04-30, "
        "resumes on 2028-06-10 | status ACTIVE, inactive reason none, anchor date 2028-06-10, "
        "next billing date 2028-06-10, resumes on none | They are back earlier.",
        "discount none | discount 25% off, for 2 periods from 1 Jul 2028 | Summer offer.",
        "quantity 2 | quantity 3, in force from 2028-08-20 | An intern for three weeks.",
        "quantity 3 | quantity 1, in force from 2028-09-01 | Only one is left.",
        "status ACTIVE, inactive reason none, period ends on 2028-10-10 | status INACTIVE, inactive reason closed, "
        "period ends on 2028-09-25 | They build it themselves now.",
        "discount none | discount 9.00 EUR off, for 1 period from 15 Nov 2028 | Welcome back.",
        "status INACTIVE, inactive reason closed, anchor date 2028-06-10, next billing date 2028-10-10"
        " | status ACTIVE, inactive reason none, anchor date 2028-11-15, next billing date 2028-11-15"
        " | They came back.",
    ]


CHAPTERS: list[Callable[[Customer], None]] = [
    signs_up_for_a_trial,
    is_charged_when_the_trial_is_over,
    upgrades,
    adds_seats,
    is_declined,
    gives_a_new_card,
    downgrades_from_the_next_period_on,
    pauses,
    resumes_earlier,
    has_a_discount_of_two_periods,
    adds_a_seat_at_the_discounted_price,
    takes_two_seats_away,
    cancels,
    is_won_back,
    pays_each_invoice_once,
    leaves_books_that_agree,
    leaves_a_history_in_words,
]
