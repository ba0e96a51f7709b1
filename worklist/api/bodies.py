"""What a caller sends."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.serializers import Serializer


def valid(shape: type[Serializer], request: Request) -> dict[str, Any]:
    """The request's body, checked against its shape.

    Raises:
        ValidationError: says field by field what is wrong.
    """
    said = shape(data=request.data)
    said.is_valid(raise_exception=True)
    checked: dict[str, Any] = said.validated_data
    return checked
