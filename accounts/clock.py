"""The clock. Interfaces (views, commands, the admin, the Lambda entry point) read it here, and only they do.

The domain is told `now` and `today`. The setting `CLOCK` names the function that tells the time: the real one, but on a
machine of one's own, where `manage.py clock --to` moves time forward.
"""

import datetime
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string


def now() -> datetime.datetime:
    """This instant, aware, by the clock that the setting `CLOCK` names."""
    return cast(datetime.datetime, import_string(settings.CLOCK)())
