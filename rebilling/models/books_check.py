"""Looks at whether rows agree."""

from typing import ClassVar

from django.db import models

from accounts.ids import new_id


class BooksCheck(models.Model):
    """One look at whether rows agree: when it began, whether it looked at everything, and what it found.

    `watermark` is when it began by the database's clock, which says when an entry was written.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    started_at = models.DateTimeField()
    watermark = models.DateTimeField()
    whole = models.BooleanField()
    discrepancies = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            # rebilling/books.py: the last one, and the last whole one.
            models.Index(fields=["-started_at"], name="books_check_by_time"),
        ]

    def __str__(self) -> str:
        return f"check at {self.started_at}"
