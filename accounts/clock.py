"""The clock. Interfaces (views, commands, the admin, the Lambda entry point) read it here, and only they do.

The domain is given `now` and `today`. The setting `CLOCK` names the function that returns the time. It is the real
clock, except on the local platform, where `manage.py clock --to` moves time forward.
"""

import datetime
from typing import cast

from django.conf import settings
from django.utils.module_loading import import_string


def now() -> datetime.datetime:
    """This instant, aware, by the clock that the setting `CLOCK` names."""
    return cast(datetime.datetime, import_string(settings.CLOCK)())
