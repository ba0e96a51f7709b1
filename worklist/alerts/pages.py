"""`/a/<token>`: answer one alert without signing in. No patient data, used once, works without JavaScript."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods

from foundation.transitions import IllegalTransition
from worklist.alerts import answering
from worklist.alerts.channels import links
from worklist.alerts.models import OPEN_ALERT_STATES, AnswerLink

UNKNOWN = "This link is not valid. Sign in on the ER page to answer."


@never_cache
@csrf_protect
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """The form; what was said with it. Looking at the page (mail scanners do) answers nothing."""
    link = links.find(token)
    if link is None:
        return _page(request, {"said": UNKNOWN}, status=404)
    if request.method != "POST":
        return _page(request, _state(link) | {"name": str(link.user or "")})
    said = {key: request.POST.get(key, "")[:500] for key in ("name", "read_back", "reason")}
    try:
        if request.POST.get("answer") == "not-mine":
            answering.decline_by_link(link=link, reason=said["reason"][:180], request=request)
            return _page(request, {"said": "The next in line is told now. Thank you."})
        answering.acknowledge_by_link(
            link=link, name=said["name"][:120], read_back=said["read_back"], request=request
        )
    except ValidationError as error:
        return _page(request, _state(link) | said | {"error": " ".join(error.messages)}, status=400)
    except (answering.UsedUp, IllegalTransition):
        link.refresh_from_db()
        return _page(request, _state(link), status=409)
    link.alert.refresh_from_db()
    return _page(request, {"said": f"{link.alert.acknowledged_name} has it. Thank you."})


def _state(link: AnswerLink) -> dict[str, Any]:
    """What the page says before anybody answers with it."""
    alert = link.alert
    alert.refresh_from_db()
    if alert.state not in OPEN_ALERT_STATES:
        return {"said": f"{alert.acknowledged_name} has answered this alert."}
    if link.used_at is not None:
        return {"said": "This link was used already. The alert is still open: answer on the ER page."}
    if link.expires_at <= timezone.now():
        return {"said": "This link is too old. The alert is still open: answer on the ER page."}
    return {"open": True, "alert": alert}


def _page(request: HttpRequest, context: dict[str, Any], status: int = 200) -> HttpResponse:
    response = render(request, "alerts/answer.html", context, status=status)
    # The address is a key: it goes to no other site and into no search.
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
