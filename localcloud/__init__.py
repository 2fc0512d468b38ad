"""The cloud on one machine: PostgreSQL, SQS, the schedules and Lambda's SQS poller. Never deployed."""
