"""For pytest. FIRSTREAD_TEST_DATABASE_URL chooses PostgreSQL; without it SQLite is used."""

import os
import tempfile
from pathlib import Path

os.environ.setdefault("FIRSTREAD_DATA_DIR", tempfile.mkdtemp(prefix="firstread-test-"))

from config.settings.base import *  # noqa: F403
from config.settings.databases import postgresql, sqlite

SECRET_KEY = "for-tests-only-for-tests-only-for-tests-only"  # noqa: S105
_url = os.environ.get("FIRSTREAD_TEST_DATABASE_URL", "")
DATABASES = {
    "default": postgresql(_url) if _url else sqlite(Path(os.environ["FIRSTREAD_DATA_DIR"]) / "test.sqlite3")
}
if not _url:
    # A file, not :memory:, because threads (receiver, ASGI) share it.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(os.environ["FIRSTREAD_DATA_DIR"]) / "pytest.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"
    )
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
CELERY_BROKER_URL = "memory://"
ALLOWED_HOSTS = ["*"]
WHITENOISE_AUTOREFRESH = True
