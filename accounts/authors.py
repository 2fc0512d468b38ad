"""Who did something: people and clients have names of their own (`staff:ann`, `api:shop`)."""

SYSTEM = "system:billing"
"""The author of what the platform does by itself."""
