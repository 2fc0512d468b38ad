"""Proofs that what is shipped works: the real package under AWS's runtime client, the real Zappa on a local AWS."""
