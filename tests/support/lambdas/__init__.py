"""Lambda environments as processes, and what they have in the cloud: a database with passwords, secrets, SQS."""
