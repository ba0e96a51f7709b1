"""One machine, nothing installed beside Python: SQLite and the Valkey that `manage.py up` starts."""

import os
import secrets
import stat
from pathlib import Path

# `manage.py up` chooses the broker's port and leaves its address here for every other process.
_data_dir = Path(os.environ.get("FIRSTREAD_DATA_DIR", Path(__file__).resolve().parents[2] / "data"))
_broker_file = _data_dir / "run" / "broker_url"
if "FIRSTREAD_BROKER_URL" not in os.environ and _broker_file.is_file():
    os.environ["FIRSTREAD_BROKER_URL"] = _broker_file.read_text().strip()

from config.settings.base import *  # noqa: E402, F403
from config.settings.base import DATA_DIR  # noqa: E402
from config.settings.databases import postgresql, sqlite  # noqa: E402


def _secret_key(path: Path) -> str:
    """A key made once per data folder, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(handle, "w") as file:
        key = secrets.token_urlsafe(64)
        file.write(key)
    return key


SECRET_KEY = os.environ.get("FIRSTREAD_SECRET_KEY") or _secret_key(DATA_DIR / "secret_key")
_url = os.environ.get("FIRSTREAD_DATABASE_URL", "")
DATABASES = {"default": postgresql(_url) if _url else sqlite(DATA_DIR / "firstread.sqlite3")}
