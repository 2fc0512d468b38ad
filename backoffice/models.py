"""Support staff."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """A member of the staff. Nobody else logs in: API clients use keys."""
