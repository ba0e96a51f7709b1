"""One process per container: everything from the environment, nothing guessed."""

import os

from config.settings.base import *  # noqa: F403
from config.settings.databases import postgresql

SECRET_KEY = os.environ["FIRSTREAD_SECRET_KEY"]
DATABASES = {"default": postgresql(os.environ["FIRSTREAD_DATABASE_URL"])}
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = 31536000
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
