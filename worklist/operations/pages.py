"""The pages a browser opens: the React application's shell, and /healthz."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from worklist.operations import health

_SCRIPT = re.compile(r"<script(?![^>]*\bnonce=)")


@lru_cache(maxsize=2)
def _shell(path: Path, modified: int) -> str:
    return path.read_text()


@require_safe
@login_required
@ensure_csrf_cookie
@never_cache
def shell(request: HttpRequest, **_: str) -> HttpResponse:
    """index.html of the front end; which page it shows is the browser's matter. Holds no PHI itself."""
    index = settings.FRONTEND_DIST / "index.html"
    if not index.is_file():
        return HttpResponse(
            "The front end is not built. Start Firstread with ./run, which builds it.",
            status=503,
            content_type="text/plain",
        )
    nonce = str(request.csp_nonce)  # type: ignore[attr-defined]
    html = _SCRIPT.sub(f'<script nonce="{nonce}"', _shell(index, index.stat().st_mtime_ns))
    return HttpResponse(html)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """200 only if every component serves; no names, no counts of patients."""
    answer = health.check_cached()
    return JsonResponse(answer, status=200 if answer["status"] == "ok" else 503)
