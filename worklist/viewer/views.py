"""Serves OHIF: its page to people who may see images, its files to their browsers."""

from __future__ import annotations

import re
import secrets

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from django.views.decorators.http import require_safe

from foundation.accounts.models import Role, User
from worklist.viewer import files, policy

READERS = (Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)

_INLINE_SCRIPT = re.compile(r"<script>")
_FRAME_NOTE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{background:#0f1115;color:#e6e8eb;font:16px system-ui,sans-serif;display:grid;place-items:center;
height:100vh;margin:0}}a{{color:inherit}}</style><p>{text}</p></html>"""


@require_safe
def viewer(request: HttpRequest, name: str = "") -> HttpResponseBase:
    """The build's file at ``name``; any other address is a route inside the application and gets its page."""
    found = files.find(settings.OHIF_DIST, name) if name else None
    if found is not None:
        return _file(request, found)
    if "." in name.rsplit("/", 1)[-1]:
        raise Http404("The viewer has no such file.")
    return _page(request)


def _file(request: HttpRequest, found: files.ViewerFile) -> HttpResponse:
    # The application is public code and the same for everybody: it needs no session.
    known = parse_etags(request.headers.get("If-None-Match", ""))
    response: HttpResponse
    if found.etag in known:
        response = HttpResponseNotModified()
    else:
        gzip = found.compressed is not None and "gzip" in request.headers.get("Accept-Encoding", "")
        response = HttpResponse(found.read(gzip=gzip), content_type=found.content_type)
        if gzip:
            response["Content-Encoding"] = "gzip"
    if found.compressed is not None:
        patch_vary_headers(response, ["Accept-Encoding"])
    response["ETag"] = found.etag
    response["Cache-Control"] = found.cache_control
    response["X-Content-Type-Options"] = "nosniff"
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Content-Security-Policy"] = found.content_security_policy
    return response


def _page(request: HttpRequest) -> HttpResponseBase:
    if not isinstance(request.user, User):
        if request.headers.get("Sec-Fetch-Dest") == "iframe":
            # The sign-in page refuses to be framed; a blank area would say nothing.
            link = '<a href="/" target="_top">Sign in again</a>'
            return _note(401, "Signed out", f"Your session has ended. {link} to see the images.")
        return redirect_to_login(request.get_full_path())
    if not request.user.has_role(*READERS):
        return _note(403, "Not allowed", "Your role does not open diagnostic images.")
    page = files.index(settings.OHIF_DIST)
    if page is None:
        return _note(503, "No viewer", "The viewer has not been built: run python frontend/build_viewer.py.")
    nonce = secrets.token_urlsafe(16)
    response = HttpResponse(_INLINE_SCRIPT.sub(f'<script nonce="{nonce}">', page))
    response["Content-Security-Policy"] = policy.page(nonce)
    # A page kept by the browser would carry an old nonce, and would open after signing out.
    response["Cache-Control"] = "no-store"
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _note(status: int, title: str, text: str) -> HttpResponse:
    response = HttpResponse(_FRAME_NOTE.format(title=title, text=text), status=status)
    response["Content-Security-Policy"] = policy.NOTE
    response["Cache-Control"] = "no-store"
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response
