"""The one WebSocket address."""

from typing import Any

from django.urls import path

from worklist.live.consumers import LiveConsumer

websocket_urlpatterns: list[Any] = [path("ws/", LiveConsumer.as_asgi())]
