"""A reading room's screen is not left signed in."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase

LAST_SEEN = "last_seen"
# What the page asks for by itself does not count as somebody being there.
BACKGROUND_HEADER = "X-Firstread-Background"


class IdleTimeoutMiddleware:
    """Ends a session that nobody used for IDLE_TIMEOUT_SECONDS."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.session.session_key and request.user.is_authenticated:
            now = time.time()
            last_seen = request.session.get(LAST_SEEN, now)
            if now - last_seen > settings.IDLE_TIMEOUT_SECONDS:
                logout(request)
            elif LAST_SEEN not in request.session or (
                now - last_seen > 15 and BACKGROUND_HEADER not in request.headers
            ):
                # Written at most every 15 s, so that reading images does not write a session row each.
                request.session[LAST_SEEN] = now
        return self.get_response(request)
