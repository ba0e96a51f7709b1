"""`/api/readers/`: whom a study can be assigned to, and how much they have."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from worklist.api import documents
from worklist.api.action_shapes import Reader
from worklist.api.item_actions import readers
from worklist.queue.models import UNREAD_STATES, ItemState


class Readers(GenericAPIView[User]):
    """Radiologists by name."""

    serializer_class = Reader
    permission_classes = (has_role(Role.RADIOLOGIST),)
    queryset = User.objects.none()

    @extend_schema(parameters=[OpenApiParameter("search", str)], responses=Reader(many=True))
    def get(self, request: Request) -> Response:
        """Readers whose name has every word of `search`, by name."""
        found: Any = readers()
        for word in request.query_params.get("search", "").split():
            found = found.filter(Q(username__icontains=word) | Q(display_name__icontains=word))
        found = found.annotate(
            reading=Count("claims", filter=Q(claims__state=ItemState.CLAIMED), distinct=True),
            assigned=Count("assignments", filter=Q(assignments__state__in=UNREAD_STATES), distinct=True),
        ).order_by("display_name", "username")
        page = self.paginate_queryset(found)
        assert page is not None
        return self.get_paginated_response(
            [
                {**(documents.person(one) or {}), "reading": one.reading, "assigned": one.assigned}
                for one in page
            ]
        )
