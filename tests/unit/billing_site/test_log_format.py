import datetime
import json
import logging
import uuid
from typing import Any

import pytest
from django.conf import settings

from billing_site.log_format import JsonFormatter

RUN = uuid.UUID("01930000-0000-7000-8000-000000000001")


def record(message: str, *args: object, extra: dict[str, Any] | None = None, **fields: Any) -> logging.LogRecord:
    values = {"name": "rebilling.sweep", "levelno": logging.INFO, "levelname": "INFO", "created": 1795341600.25}
    return logging.makeLogRecord(values | {"msg": message, "args": args} | fields | (extra or {}))


def formatted(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The one line that the record becomes, read back."""
    line = JsonFormatter().format(record(*args, **kwargs))
    assert "\n" not in line
    assert line.isascii()
    found: dict[str, Any] = json.loads(line)
    return found


class TestJsonFormatter:
    def test_says_when_what_and_where(self) -> None:
        assert formatted("%s of %d", "sweep", 3) == {
            "time": "2026-11-22T10:00:00.250+00:00",
            "level": "INFO",
            "logger": "rebilling.sweep",
            "message": "sweep of 3",
        }

    def test_adds_what_is_extra_beside_it(self) -> None:
        found = formatted("swept", extra={"event": "run.swept", "found": 2, "amount_minor": {"USD": 3998}})
        assert (found["event"], found["found"], found["amount_minor"]) == ("run.swept", 2, {"USD": 3998})
        assert len(found) == 7

    def test_writes_ids_and_dates_as_text(self) -> None:
        found = formatted("swept", extra={"run": RUN, "as_of": datetime.date(2026, 11, 22)})
        assert (found["run"], found["as_of"]) == (str(RUN), "2026-11-22")

    def test_keeps_to_one_line_whatever_is_in_it(self) -> None:
        found = formatted("a name:\n%s", 'Zoë "the\u2028first"\r\n', extra={"detail": "a\nb"})
        assert found["message"] == 'a name:\nZoë "the\u2028first"\r\n'
        assert found["detail"] == "a\nb"

    def test_carries_an_exception_with_its_traceback(self) -> None:
        try:
            raise TimeoutError("no answer")
        except TimeoutError as error:
            found = formatted("failed", exc_info=(type(error), error, error.__traceback__))
        assert found["exception"].startswith("Traceback (most recent call last):\n")
        assert found["exception"].endswith("TimeoutError: no answer")

    @pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
    def test_names_the_level_that_an_alarm_filters_on(self, level: str) -> None:
        assert formatted("something", levelname=level)["level"] == level

    def test_is_what_every_logger_writes_in(self) -> None:
        logging_settings: dict[str, Any] = settings.LOGGING
        assert logging_settings["formatters"]["json"] == {"()": "billing_site.log_format.JsonFormatter"}
        assert logging_settings["root"]["handlers"] == ["stderr"]
        assert logging_settings["handlers"]["stderr"]["formatter"] == "json"
