"""A real worker beside a test: the test's own database, archive and bundles, and a broker of its own."""

import os
from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.databases import postgresql, sqlite

SECRET_KEY = "for-tests-only-for-tests-only-for-tests-only"
_database = os.environ["FIRSTREAD_WORKER_DATABASE"]
DATABASES = {
    "default": postgresql(_database) if _database.startswith("postgresql://") else sqlite(Path(_database))
}
BUNDLES_DIR = Path(os.environ["FIRSTREAD_WORKER_BUNDLES"])
