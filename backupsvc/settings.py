"""Settings: the default mode needs nothing; environment variables choose production (see .env.example)."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.contrib.messages import constants as message_levels
from django.utils.translation import gettext_lazy as _

from backupsvc import env

BASE_DIR = Path(__file__).resolve().parent.parent
env.load(BASE_DIR / ".env")

# --- Where we are -------------------------------------------------------------------------------
DATA_DIR = env.private_folder(Path(env.text("DATA_DIR") or BASE_DIR / "var").resolve())
DEBUG = env.flag("DEBUG", False)
# The address people type. With https everything that travels is marked secure.
SITE_URL = env.text("SITE_URL", f"http://127.0.0.1:{env.number('PORT', 8000)}").rstrip("/")
SITE_IS_SECURE = urlsplit(SITE_URL).scheme == "https"
SECRET_KEY = env.secret("SECRET_KEY", DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
# Signs the activity log. A key of its own: changing SECRET_KEY must not make the log look forged.
AUDIT_KEY = env.secret("AUDIT_KEY", DATA_DIR / "audit_key")
AUDIT_KEY_FALLBACKS = env.names("AUDIT_KEY_FALLBACKS")
# More names than people's own and this machine's.
ALLOWED_HOSTS = [
    *filter(None, dict.fromkeys((urlsplit(SITE_URL).hostname, "localhost", "127.0.0.1", "[::1]"))),
    *env.names("ALLOWED_HOSTS"),
]
CSRF_TRUSTED_ORIGINS = env.names("CSRF_TRUSTED_ORIGINS", SITE_URL)

# --- What we are made of ------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "django.forms",
    "django_celery_beat",
    "django_htmx",
    "template_partials.apps.SimpleAppConfig",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "backupsvc",
    "backupsvc.accounts",
    "backupsvc.jobs",
    "recipients",
    "backups",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "backupsvc.accounts.middleware.ActorMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "backupsvc.accounts.middleware.BrowserCacheMiddleware",
    "backupsvc.accounts.middleware.NotAllowedMiddleware",
]
ROOT_URLCONF = "backupsvc.urls"
WSGI_APPLICATION = "backupsvc.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATE_LOADERS: list[Any] = [
    "django.template.loaders.filesystem.Loader",
    "django.template.loaders.app_directories.Loader",
]
if not DEBUG:
    TEMPLATE_LOADERS = [("django.template.loaders.cached.Loader", TEMPLATE_LOADERS)]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [("template_partials.loader.Loader", TEMPLATE_LOADERS)],
            "builtins": ["template_partials.templatetags.partials"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backupsvc.accounts.views.context.page",
            ],
        },
    },
    {
        # What pages have many of (backupsvc/accounts/jinja.py); pages themselves are Django's.
        "NAME": "rows",
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {"environment": "backupsvc.accounts.jinja.environment"},
    },
]
# Our field template (templates/django/forms/field.html) also serves the forms of other apps.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

# --- Database -----------------------------------------------------------------------------------
DATABASE_URL = env.text("DATABASE_URL")
DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(DATABASE_URL, conn_max_age=60, conn_health_checks=True)
    if DATABASE_URL
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": DATA_DIR / "backupsvc.sqlite3"}
}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"] = {
        # A transaction that reads and then writes must not fail with "database is locked".
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # FULL: with WAL, NORMAL may lose the last commits when the power fails, and a deletion that
        # was confirmed must not come back without its backup.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
    }

# --- Cache: shared by all web processes, since the limits on sign-in attempts count in it --------
CACHE_URL = env.text("CACHE_URL")
CACHES: dict[str, Any] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": CACHE_URL,
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": env.private_folder(DATA_DIR / "cache"),
    }
}

# --- Queue: a message is a doorbell, the database decides (docs: how work flows) -----------------
QUEUE_DIR = DATA_DIR / "queue"
CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_QUEUES = ("snapshot", "change", "maintenance")
CELERY_TASK_DEFAULT_QUEUE = "maintenance"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ACKS_LATE = True
# Without it a task whose process is killed counts as done.
CELERY_TASK_REJECT_ON_WORKER_LOST = True
# No result backend: progress and outcome are columns of the job.
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_BACKEND = None
CELERY_RESULT_EXPIRES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SOFT_TIME_LIMIT = 1500
CELERY_TASK_TIME_LIMIT = 1800
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_ENABLE_SOFT_SHUTDOWN_ON_IDLE = True
# A child that has eaten more (in KiB) is replaced after its task.
CELERY_WORKER_MAX_MEMORY_PER_CHILD = env.number("WORKER_MAX_MEMORY_KB", 1_000_000)
# Our LOGGING holds for workers too.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# A request that rings rings once: the sweep repeats what got lost, a person does not wait for it.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any]
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT = "backupsvc.queue_folder:Transport"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # One folder for both directions: who publishes and who works share it.
        "data_folder_in": str(env.private_folder(QUEUE_DIR / "messages")),
        "data_folder_out": str(env.private_folder(QUEUE_DIR / "messages")),
        "control_folder": str(env.private_folder(QUEUE_DIR / "control")),
        # The default of one second lets a queue of short jobs crawl. Somebody waits for most of them, and to
        # look into an empty folder costs a thousandth of a core.
        "polling_interval": 0.03,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        # Longer than the hard time limit, or a task that still runs is delivered again.
        "visibility_timeout": 3600,
        # For those who publish. Workers wait longer on their socket: backupsvc/celery.py.
        "socket_timeout": 1,
        "socket_connect_timeout": 1,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0,
        "connect_retries_timeout": 1,
    }
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_TIMEZONE = "UTC"

# Where the chain of the log is written down outside the database (docs/operations.md).
AUDIT_ANCHORS_DIR = env.private_folder(DATA_DIR / "audit")

# For so long a deleted list's rows stay, and Undo is one click.
UNDO_DELETION_HOURS = env.number("UNDO_DELETION_HOURS", 24)

# --- Keys ---------------------------------------------------------------------------------------
# What opens the accounts' keys, which open the archives: age identities, the first one in use. Without
# the variable this machine makes its own and keeps it in the file.
ARCHIVE_KEY = env.text("ARCHIVE_KEY")
ARCHIVE_KEY_PATH = DATA_DIR / "keys/archive.key"

# --- Files --------------------------------------------------------------------------------------
UPLOAD_LIMIT_BYTES = env.number("UPLOAD_LIMIT_MB", 1024) * 1024 * 1024
STORAGES = {
    # Django wants a default; nothing of ours uses it.
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "archives": env.private_storage("SNAPSHOT_STORAGE_URL", DATA_DIR / "archives"),
    "uploads": env.private_storage("SNAPSHOT_STORAGE_URL", DATA_DIR / "uploads"),
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# An uploaded list goes to the disk, never to memory, and stops at the limit while it arrives.
FILE_UPLOAD_HANDLERS = [
    "backupsvc.uploads.LimitedUploadHandler",
    "backupsvc.uploads.DiskUploadHandler",
]
FILE_UPLOAD_TEMP_DIR = str(env.private_folder(DATA_DIR / "uploads-tmp"))
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
# Pasted text and the mapping of a wide file.
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000
DATA_UPLOAD_MAX_NUMBER_FILES = 5

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"

# --- Who may sign in ----------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
# People are invited or made by command; a public sign-up has to be wanted.
ALLOW_SIGNUP = env.flag("ALLOW_SIGNUP", False)
ACCOUNT_ADAPTER = "backupsvc.signup.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_CONFIRM_EMAIL_ON_GET = False
# Whoever was invited chooses the password by a mailed link, which shows that the mailbox is theirs.
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if ALLOW_SIGNUP else "optional"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 900
ACCOUNT_SESSION_REMEMBER = None
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SITE_IS_SECURE else "http"
ACCOUNT_RATE_LIMITS = {"login_failed": "20/m/ip,5/300s/key"}
# How many proxies in front of us write X-Forwarded-For: 0 believes none of it.
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXIES", 0)
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "backupsvc"

# --- Mail ---------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "backupsvc@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL
globals().update(env.mail("EMAIL_URL"))

# --- Browser security ---------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        # Widths of bars and Tabler's own components are written as style attributes.
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_NAME = "__Host-sessionid" if SITE_IS_SECURE else "sessionid"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = SITE_IS_SECURE
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_SSL_REDIRECT = SITE_IS_SECURE
# A load balancer asks for our health from inside, over http.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = env.number("HSTS_SECONDS", 365 * 24 * 3600) if SITE_IS_SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SITE_IS_SECURE and env.flag("HSTS_SUBDOMAINS", True)
SECURE_HSTS_PRELOAD = SITE_IS_SECURE and env.flag("HSTS_PRELOAD", True)
# Only behind a proxy that always sets this header itself: else anyone may claim to use https.
if env.flag("BEHIND_TLS_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- Words --------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("it", "Italiano"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "UTC"
MESSAGE_TAGS = {message_levels.DEBUG: "secondary", message_levels.ERROR: "danger"}
SITE_NAME = _("Backups")
# A refusal without a text is an error while developing; people get a sentence that names the code.
STRICT_WORDING = DEBUG

# --- Logs: one line per event, no addresses of recipients (backupsvc/logs.py) --------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"()": "backupsvc.logs.TextLine"},
        "json": {"()": "backupsvc.logs.JsonLine"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env.choice("LOG_FORMAT", "text", ("text", "json")),
        },
    },
    "root": {"handlers": ["stderr"], "level": env.text("LOG_LEVEL", "INFO").upper()},
    "loggers": {
        # Django's own console and mail handlers would print each event a second time.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
        # The sweep runs every few seconds: its comings and goings are not events.
        "celery.beat": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
