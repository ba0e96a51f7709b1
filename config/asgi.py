"""One ASGI application: HTTP by Django, `/ws/` by the live room, `/fhircast/ws/` for programs on a desk."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
http = get_asgi_application()

from worklist.fhircast import routing as fhircast  # noqa: E402  (the apps must be loaded first)
from worklist.live import routing as live  # noqa: E402

pages = AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(live.websocket_urlpatterns)))
application = ProtocolTypeRouter(
    {
        "http": http,
        # Programs send neither Origin nor cookie: their address is the secret.
        "websocket": URLRouter([*fhircast.websocket_urlpatterns, re_path(r"", pages)]),
    }
)
