"""Settings that hold everywhere. What differs between sites comes from FIRSTREAD_… variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import structlog
from celery.schedules import schedule
from csp.constants import NONCE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent.parent
DATA_DIR = Path(os.environ.get("FIRSTREAD_DATA_DIR", BASE_DIR / "data")).resolve()
ARCHIVE_DIR = Path(os.environ.get("FIRSTREAD_ARCHIVE_DIR", DATA_DIR / "archive")).resolve()
BUNDLES_DIR = BASE_DIR / "models"
# Bundles that a site adds; those in BUNDLES_DIR came with the release.
ADDED_BUNDLES_DIR = Path(os.environ.get("FIRSTREAD_BUNDLES_DIR", DATA_DIR / "bundles")).resolve()
MODEL_ARCHIVE_MAXIMUM_MB = int(os.environ.get("FIRSTREAD_MODEL_MAX_MB", "2048"))
FRONTEND_DIST = BASE_DIR / "frontend" / "dist"
OHIF_DIST = BASE_DIR / "frontend" / "ohif-dist"
VERSION = "0.1.0"

# The site
# Where others reach this site, for links in what is sent out.
PUBLIC_URL = os.environ.get("FIRSTREAD_PUBLIC_URL", "http://localhost:8000").rstrip("/")
# Of the clock that reports on paper are told by; people see times in their own zone.
SITE_TIME_ZONE = os.environ.get("FIRSTREAD_TIME_ZONE", "UTC")
# Networks inside which webhooks may be called, also without TLS: "10.2.0.0/16,127.0.0.1/32".
REPORT_WEBHOOK_NETWORKS = [
    one.strip() for one in os.environ.get("FIRSTREAD_WEBHOOK_NETWORKS", "").split(",") if one.strip()
]
SITE_NAME = os.environ.get("FIRSTREAD_SITE_NAME", "Firstread")
AE_TITLE = os.environ.get("FIRSTREAD_AE_TITLE", "FIRSTREAD")
HTTP_HOST = os.environ.get("FIRSTREAD_HOST", "127.0.0.1")
HTTP_PORT = int(os.environ.get("FIRSTREAD_PORT", "8000"))
DICOM_HOST = os.environ.get("FIRSTREAD_DICOM_HOST", HTTP_HOST)
DICOM_PORT = int(os.environ.get("FIRSTREAD_DICOM_PORT", "11112"))
# Peers that are no registered RemoteNode may store unless the site closes the door.
DICOM_ACCEPT_UNKNOWN_PEERS = os.environ.get("FIRSTREAD_DICOM_ACCEPT_UNKNOWN", "1") == "1"
MINIMUM_FREE_DISK_MB = int(os.environ.get("FIRSTREAD_MIN_FREE_DISK_MB", "512"))

# Completion of studies, seconds: see pacs/completeness.py
COMPLETION_QUIET_SECONDS = {
    "default": float(os.environ.get("FIRSTREAD_QUIET_SECONDS", "10")),
    "US": 120.0,
    "XA": 120.0,
    "RF": 120.0,
}
COMPLETION_QUIET_OPEN_ASSOCIATION_SECONDS = 60.0
COMPLETION_MAXIMUM_SECONDS = 30 * 60.0

TRIAGE_LEASE_SECONDS = 300
TRIAGE_MAXIMUM_ATTEMPTS = 3
# What a model may use (docs/adr/0013-model-host.md)
TRIAGE_RUN_SECONDS = float(os.environ.get("FIRSTREAD_RUN_SECONDS", "120"))
TRIAGE_MODEL_MEMORY_MB = int(os.environ.get("FIRSTREAD_MODEL_MEMORY_MB", "6144"))
TRIAGE_ISOLATION_REQUIRED = os.environ.get("FIRSTREAD_ISOLATION", "available") == "required"
# Runs at once on this machine; each has its own processes of the models and its part of the cores.
INFERENCE_WORKERS = max(1, int(os.environ.get("FIRSTREAD_INFERENCE_WORKERS", "1")))
if INFERENCE_WORKERS > 1:
    os.environ.setdefault("FIRSTREAD_TORCH_THREADS", str(max(1, (os.cpu_count() or 1) // INFERENCE_WORKERS)))
# Runs go to the queue "inference-gpu" first, and to any worker when no GPU worker took them within 30 s.
TRIAGE_GPU_WORKERS = os.environ.get("FIRSTREAD_GPU_WORKERS", "0") == "1"
CLAIM_LEASE_SECONDS = 120
READER_CLAIM_LIMIT = int(os.environ.get("FIRSTREAD_READER_CLAIMS", "5"))
ALERT_RUNG_SECONDS = int(os.environ.get("FIRSTREAD_ALERT_RUNG_SECONDS", "300"))
# What a prior shows already, and somebody answered for then, rings again: off, because it has not grown.
ALERT_KNOWN_FINDINGS_AGAIN = os.environ.get("FIRSTREAD_ALERT_KNOWN_FINDINGS", "0") == "1"
# Ways to reach people beside the page (docs/guides/alerts.md); what is not set up says so in the log.
ALERT_WEBHOOK_URL = os.environ.get("FIRSTREAD_ALERT_WEBHOOK_URL", "")
ALERT_WEBHOOK_SECRET = os.environ.get("FIRSTREAD_ALERT_WEBHOOK_SECRET", "")
ALERT_SMS_URL = os.environ.get("FIRSTREAD_SMS_URL", "")
ALERT_SMS_AUTHORIZATION = os.environ.get("FIRSTREAD_SMS_AUTHORIZATION", "")
ALERT_SMS_FORM = os.environ.get("FIRSTREAD_SMS_FORM", "To={to}&Body={text}")
ALERT_PUSH_KEY_FILE = DATA_DIR / "push_key.pem"
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = os.environ.get("FIRSTREAD_SMTP_HOST", "")
EMAIL_PORT = int(os.environ.get("FIRSTREAD_SMTP_PORT", "587"))
EMAIL_HOST_USER = os.environ.get("FIRSTREAD_SMTP_USER", "")
EMAIL_HOST_PASSWORD = os.environ.get("FIRSTREAD_SMTP_PASSWORD", "")
EMAIL_USE_TLS = os.environ.get("FIRSTREAD_SMTP_TLS", "starttls") == "starttls"
EMAIL_USE_SSL = os.environ.get("FIRSTREAD_SMTP_TLS", "starttls") == "tls"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = os.environ.get("FIRSTREAD_MAIL_FROM", "firstread@localhost")
# Dictation by the browser's own speech interface, which may send sound to the browser's maker.
DICTATION = os.environ.get("FIRSTREAD_DICTATION", "") == "browser"
# Whether a signature under a report needs the signer's password again.
SIGN_ASKS_PASSWORD = os.environ.get("FIRSTREAD_SIGN_PASSWORD", "0") == "1"
QA_RANDOM_SAMPLE = float(os.environ.get("FIRSTREAD_QA_SAMPLE", "0.1"))
IDLE_TIMEOUT_SECONDS = int(os.environ.get("FIRSTREAD_IDLE_TIMEOUT_SECONDS", "1800"))

DEBUG = False
ALLOWED_HOSTS = os.environ.get("FIRSTREAD_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
if HTTP_HOST not in {"0.0.0.0", "::", *ALLOWED_HOSTS}:  # noqa: S104  (a wildcard is no name of this host)
    ALLOWED_HOSTS.append(HTTP_HOST)
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("FIRSTREAD_TRUSTED_ORIGINS", "").split(",") if o]

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "axes",
    "csp",
    "foundation.accounts",
    "foundation.audit",
    "pacs",
    "triage",
    "worklist.live",
    "worklist.rota",
    "worklist.reading",
    "worklist.queue",
    "worklist.alerts",
    "worklist.reports",
    "worklist.quality",
    "worklist.simulation",
    "worklist.fhircast",
    "worklist",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "foundation.accounts.middleware.IdleTimeoutMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "csp.middleware.CSPMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "foundation" / "accounts" / "templates"],
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

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
USE_I18N = False

# Sign-in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/accounts/login/"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "foundation.accounts.adapter.ClosedAccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_REDIRECT_URL = "/accounts/login/"
# django-axes counts wrong passwords; allauth counting as well would answer before it, with another text.
ACCOUNT_RATE_LIMITS = {"login_failed": "", "login": ""}
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "account/lockout.html"
AXES_VERBOSE = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 12 * 3600
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF, "data:"],
        "connect-src": [SELF],
        "frame-src": [SELF],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
        "base-uri": [SELF],
        "form-action": [SELF],
    },
}

STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_ROOT = FRONTEND_DIST if FRONTEND_DIST.is_dir() else None
# Vite puts a hash of the content into every name under assets/.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^/assets/.+-[A-Za-z0-9_-]{8}\.\w+$"
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FILES = 2000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "foundation.accounts.authentication.TokenAuthentication",
        "foundation.accounts.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "foundation.paging.PageNumberPaging",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "foundation.problems.exception_handler",
    "PAGE_SIZE": 100,
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Firstread",
    "DESCRIPTION": "An open reading worklist, sickest patient first. Not a cleared medical device.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "LocationClassEnum": "pacs.models.LocationClass",
        "OrderPriorityEnum": "pacs.models.OrderPriority",
        "StudyStateEnum": "pacs.models.StudyState",
        "ModelKindEnum": "worklist.api.model_shapes.KINDS",
        "ModelStateEnum": "triage.models.ModelState",
        "RunStateEnum": "triage.models.RunState",
        "ItemStateEnum": "worklist.queue.models.ItemState",
        "HoldReasonEnum": "worklist.queue.models.HoldReason",
        "ItemEventKindEnum": "worklist.queue.models.ItemEvent.Kind",
        "ItemFlagKindEnum": "worklist.queue.models.ItemFlag.Kind",
        "AlertStateEnum": "worklist.alerts.models.AlertState",
        "ReportStateEnum": "worklist.reports.models.ReportState",
        "AlertDeliveryStateEnum": "worklist.alerts.models.DeliveryState",
        "DeliveryStateEnum": "worklist.reports.outgoing.models.DeliveryState",
        "DestinationKindEnum": "worklist.reports.outgoing.models.DestinationKind",
        "SimulationStateEnum": "worklist.simulation.models.SimulationState",
        "PriorityPolicyStateEnum": "worklist.queue.models.PolicyState",
        "ReviewStateEnum": "worklist.quality.models.ReviewState",
        "ReadingModeEnum": "worklist.reading.models.Mode",
        "MeasurementKindEnum": "worklist.api.marks.KINDS",
    },
}

# The queue. The database is the truth about work to do; the broker only wakes workers.
BROKER_URL = os.environ.get("FIRSTREAD_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TRACK_STARTED = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_connect_timeout": 2,
    "socket_timeout": 10,
}
CELERY_TASK_TIME_LIMIT = 1800
# A child of the inference worker loads torch and the models before it reports for work.
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 120.0
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_PUBLISH_RETRY = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Every entry is a sweep over the database: idempotent, cheap when there is nothing to do.
CELERY_BEAT_SCHEDULE = {
    "beat-heartbeat": {"task": "worklist.beat_heartbeat", "schedule": schedule(5.0)},
    "complete-due-studies": {"task": "pacs.complete_due_studies", "schedule": schedule(2.0)},
    "reconcile-archive": {"task": "pacs.reconcile_archive", "schedule": schedule(300.0)},
    "sweep-triage": {"task": "triage.sweep", "schedule": schedule(5.0)},
    "sweep-worklist": {"task": "worklist.sweep", "schedule": schedule(10.0)},
    "escalate-alerts": {"task": "worklist.escalate_due_alerts", "schedule": schedule(5.0)},
    "seal-audit": {"task": "worklist.seal_audit", "schedule": schedule(15.0)},
}

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ.get("FIRSTREAD_CHANNELS_URL", BROKER_URL)], "capacity": 500},
    },
}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

UNFOLD = {
    "SITE_TITLE": "Firstread",
    "SITE_HEADER": "Firstread",
    "SITE_SUBHEADER": "Archive and model administration",
    "THEME": "dark",
    "SHOW_VIEW_ON_SITE": False,
}

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": os.environ.get("FIRSTREAD_LOG_LEVEL", "INFO")},
    "loggers": {
        "pynetdicom": {"level": "WARNING"},
        "pydicom": {"level": "ERROR"},
        "highdicom": {"level": "ERROR"},
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "uvicorn.access": {"level": "WARNING"},
    },
}
