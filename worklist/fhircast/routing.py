"""Addresses of the sockets of applications on a desk."""

from typing import Any

from django.urls import path

from worklist.fhircast.consumers import FhircastConsumer

websocket_urlpatterns: list[Any] = [path("fhircast/ws/<str:token>", FhircastConsumer.as_asgi())]
