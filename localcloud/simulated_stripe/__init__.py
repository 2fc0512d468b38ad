"""A payment provider on this machine: a real HTTP server that speaks the part of Stripe's wire format that we use.

It keeps its own records of the money that it took and sent back, and fails on purpose (`faults`), so that what the
platform recorded can be compared with what was really moved. Amounts are in Stripe's units (docs/stripe.md).
"""
