"""Settings, all from the environment; `.env.example` lists them. On Lambda it names secrets, and they are read here.

The database's `default` is the application's role, which may only read and append to the ledger. Its `owner` migrates;
the functions that bill don't have it.
"""

import importlib.util
from pathlib import Path

from api.openapi import OPENAPI
from api.rest_framework import OF_THE_API
from billing_site.database.connections import configured_databases
from billing_site.environment import Environment
from billing_site.login_settings import *  # noqa: F403 - its names are settings
from billing_site.secrets.settings import from_secret

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
Environment.read_env(BASE_DIR / ".env", overwrite=False)

# What this function may do: api, worker or migrate. Without one a local process does everything.
FUNCTION_DUTY = env.str("FUNCTION_DUTY", default="")

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = from_secret(env, "SECRET_KEY", arn_in="DJANGO_SECRET_ARN", required=True)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# `localcloud` is never deployed: it is there in a clone and not in the Lambda zip.
LOCALCLOUD = importlib.util.find_spec("localcloud") is not None

# The worker has no interface: it starts without the API and the admin, which are a third of a start.
_INTERFACES = [
    # Before the admin, some of whose templates it overrides.
    "backoffice",
    "backoffice.apps.StaffSiteConfig",
    *(f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions", "messages", "staticfiles")),
    "axes",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "api",
]
INSTALLED_APPS = [
    *(_INTERFACES if FUNCTION_DUTY != "worker" else []),
    "accounts",
    "ledger",
    "invoices",
    "payments",
    "rebilling",
    "subscriptions",
    "billing_site",
    *(["localcloud"] if LOCALCLOUD else []),
]

MIDDLEWARE = [
    "billing_site.request_ids.name_requests",
    "django.middleware.security.SecurityMiddleware",
    "billing_site.content_policy.restrict_content",
    "billing_site.static_files.serve_static_files",
    "backoffice.staff_sessions.StaffSessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "billing_site.urls" if FUNCTION_DUTY != "worker" else None
WSGI_APPLICATION = "billing_site.wsgi.application"
AUTH_USER_MODEL = "backoffice.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- Database: the application's role for everything, the owner's for migrations ---

DATABASES = configured_databases(env=env, duty=FUNCTION_DUTY)
# Grants name the application's role; a migration sets them, so the owner must know its name.
DATABASE_APPLICATION_ROLE = env.str("DATABASE_APPLICATION_ROLE", default="") or DATABASES["default"].get("USER", "")
# The secret whose password the rotation changes; only the migrating function has it.
DATABASE_APPLICATION_SECRET_ARN = env.str("DATABASE_APPLICATION_SECRET_ARN", default="")

# --- Time: instants are UTC, billing goes by dates in one zone ---

USE_TZ = True
TIME_ZONE = "UTC"
BILLING_TIME_ZONE = env.zone("BILLING_TIME_ZONE", default="UTC")
# The function by which `accounts.clock` tells the time. Only the platform of a data folder has another than the real
# one: `manage.py` sets LOCAL_CLOCK for it. Where `localcloud` isn't, as on Lambda, the variable does nothing.
CLOCK = "localcloud.clock.now" if LOCALCLOUD and env.str("LOCAL_CLOCK", default="") else "django.utils.timezone.now"
LANGUAGE_CODE = "en-us"
USE_I18N = False
FORMAT_MODULE_PATH = "billing_site.formats"

# --- Money ---

# The most that one movement of money may be, in minor units of its currency: a price, a charge, a credit, a payment, a
# refund. No more than leaves room for thousands of movements of one account within a number that JSON holds exactly.
MAX_MOVEMENT_MINOR = env.count("MAX_MOVEMENT_MINOR", default=99_999_999, maximum=10**12)

# --- Invoices ---

# The tax of accounts that have no rate of their own: name, percent, and whether prices contain it ("inclusive") or it
# is added to them ("exclusive"): "VAT:21:exclusive". Without it, they aren't taxed.
DEFAULT_TAX = env.tax("DEFAULT_TAX")
# The company's name, as each invoice has it from when it is issued.
SELLER_NAME = env.str("SELLER_NAME", default="")
# What its papers show besides, as of the day on which they are printed: the address, its lines parted by |, the tax
# number, a line at the foot of each page, and a PNG or JPEG file.
COMPANY_ADDRESS = [line.strip() for line in env.str("COMPANY_ADDRESS", default="").split("|") if line.strip()]
COMPANY_TAX_NUMBER = env.str("COMPANY_TAX_NUMBER", default="")
COMPANY_FOOTER = env.str("COMPANY_FOOTER", default="")
COMPANY_LOGO = env.str("COMPANY_LOGO", default="")
COMPANY_PAPER_SIZE = env.one_of("COMPANY_PAPER_SIZE", ("A4", "Letter"), default="A4")
# `account`: numbers under each account's own prefix. `company`: one series a year for all, which batches wait for.
INVOICE_NUMBERING = env.one_of("INVOICE_NUMBERING", ("account", "company"), default="account")

# --- Rebilling ---

REBILLING_QUEUE_URL = env.str("REBILLING_QUEUE_URL", default="")
# The dead-letter queue, for messages that failed five times; see `manage.py redrive_dlq`.
REBILLING_DLQ_URL = env.str("REBILLING_DLQ_URL", default="")
# How long a run's rows may stay DUE before its reconciliation calls them unexplained.
REBILLING_DUE_MINUTES = env.int("REBILLING_DUE_MINUTES", default=60)
# Rows DUE for longer than this are sent again by the hourly reconcile: a message may have been lost.
REBILLING_RESEND_MINUTES = env.int("REBILLING_RESEND_MINUTES", default=15)
# The volume check (docs/volume_check.md); 0 turns a limit off. A run is held past so many times the largest run of the
# last 35 days, times the days since the last one; a small run isn't, for its periods. Without history it is held past
# so many periods, or minor units by currency: "USD=5000000,JPY=500000".
VOLUME_CHECK_MULTIPLE = env.int("VOLUME_CHECK_MULTIPLE", default=3)
VOLUME_CHECK_SMALL_RUN = env.int("VOLUME_CHECK_SMALL_RUN", default=50)
VOLUME_CHECK_FIRST_PERIODS = env.int("VOLUME_CHECK_FIRST_PERIODS", default=20_000)
VOLUME_CHECK_FIRST_AMOUNTS = env.amounts("VOLUME_CHECK_FIRST_AMOUNTS")

# --- Payments ---

# On Lambda it must be named: the default collects no money, and records payments as if they had succeeded.
PAYMENT_GATEWAY = env.str("PAYMENT_GATEWAY", default="payments.gateways.logging_gateway.LoggingGateway")
_BY_STRIPE = PAYMENT_GATEWAY == "payments.gateways.stripe.gateway.StripeGateway"
PAYMENT_GATEWAY_TIMEOUT_SECONDS = env.float("PAYMENT_GATEWAY_TIMEOUT_SECONDS", default=20.0)
# Longer than the gateway's deadline (a check holds it), so that two deliveries don't call it at once; shorter than
# the queue's visibility timeout, so that a message that comes back finds it ended.
PAYMENT_LEASE_SECONDS = env.int("PAYMENT_LEASE_SECONDS", default=120)
# Calls at once of one worker, and calls a second of all workers together: a little less than the provider takes; 0 is
# no limit. Stripe takes 25 of one kind, unless it allowed more (https://docs.stripe.com/rate-limits).
PAYMENT_COLLECTORS = env.count("PAYMENT_COLLECTORS", default=32)
PAYMENT_GATEWAY_CALLS_PER_SECOND = env.int("PAYMENT_GATEWAY_CALLS_PER_SECOND", default=20 if _BY_STRIPE else 0)
# Days of an account's first decline until each step of dunning; after the last one it is INACTIVE (docs/payments.md).
DUNNING_DAYS = env.list("DUNNING_DAYS", cast=int, default=[1, 3, 5, 7])
# Days after its due date on which an invoice that was sent to the customer makes the account INACTIVE, being unpaid.
UNPAID_DAYS = env.count("UNPAID_DAYS", default=60)
# What is less than this, in minor units by currency, isn't collected but carried forward to the next invoice. The
# defaults are Stripe's minimums (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
MIN_COLLECTED_MINOR = {
    **dict.fromkeys(("AUD", "BRL", "CAD", "CHF", "EUR", "INR", "NZD", "SGD", "USD"), 50),
    **dict.fromkeys(("AED", "MYR", "PLN", "RON"), 200),
    **dict.fromkeys(("NOK", "SEK"), 300),
    **dict.fromkeys(("MXN", "THB"), 1000),
    "CZK": 1500,
    "DKK": 250,
    "GBP": 30,
    "HKD": 400,
    "HUF": 17_500,
    "JPY": 50,
    **env.amounts("MIN_COLLECTED_MINOR"),
}
# A payment or refund whose outcome is open for so many days needs review, and is looked up once a day from then on.
PAYMENT_UNKNOWN_DAYS = env.int("PAYMENT_UNKNOWN_DAYS", default=5)
# For Stripe. Only the worker calls it, and only the worker takes its key: not the function that the internet reaches.
# Without an address it is Stripe's own.
STRIPE_API_KEY = ""
if FUNCTION_DUTY in {"", "worker"}:
    STRIPE_API_KEY = from_secret(env, "STRIPE_API_KEY", arn_in="STRIPE_SECRET_ARN")
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="")

# --- The API ---

# A body past this is refused with 413 before it is parsed.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
# Requests a minute of one client, and of one address (0: no limit), and requests without a valid key of one address in
# five minutes, from which on it gets 429 for them. Counters are rows of PostgreSQL (api/request_counts.py).
API_CLIENT_REQUESTS_PER_MINUTE = env.int("API_CLIENT_REQUESTS_PER_MINUTE", default=3000)
API_ADDRESS_REQUESTS_PER_MINUTE = env.int("API_ADDRESS_REQUESTS_PER_MINUTE", default=6000)
API_MAX_FAILED_KEYS = env.int("API_MAX_FAILED_KEYS", default=20)
REST_FRAMEWORK = OF_THE_API
SPECTACULAR_SETTINGS = OPENAPI

# --- The admin ---

LOGIN_URL = "admin:login"
AXES_FAILURE_LIMIT = env.count("LOGIN_MAX_FAILURES", default=5)
SECURE = env.bool("SECURE", default=not DEBUG)
"""Served over HTTPS. Off only on a local machine (`runlocal` turns it off)."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_SSL_REDIRECT = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
X_FRAME_OPTIONS = "DENY"

# --- Static files ---

STATIC_URL = env.str("STATIC_URL", default="/static/")
STATIC_ROOT = env.path("STATIC_ROOT", default=BASE_DIR / "staticfiles")
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
# Without a `collectstatic` (a clone on one machine) WhiteNoise looks in the packages themselves, when asked for a file.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = LOCALCLOUD
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCALCLOUD
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- Logs: one JSON object a line, so that a log table can filter on `level` ---

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "billing_site.log_format.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    # One tells where it found credentials and endpoints, at INFO, for each process; the other each request.
    "loggers": {
        "axes": {"level": "ERROR"},  # backoffice/login_locks.py says what failed
        **{name: {"level": "WARNING"} for name in ("botocore", "fontTools", "fpdf", "stripe")},
        # Metrics are lines of the log, and alarms count its runs: they are there whatever LOG_LEVEL is.
        "rebilling.metrics": {"level": "INFO"},
        "rebilling.sweep": {"level": "INFO"},
    },
    "root": {"handlers": ["stderr"], "level": env.one_of("LOG_LEVEL", LOG_LEVELS, default="INFO")},
}
