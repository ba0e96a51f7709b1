"""`/api/nodes/`: DICOM peers, and whether they answer."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from pacs.api import shapes
from pacs.models import RemoteNode
from pacs.services.nodes import echo_node


class NodeViewSet(GenericViewSet[RemoteNode]):
    """Registered peers; they are edited in the admin site."""

    permission_classes = [has_role(Role.PACS_ADMINISTRATOR)]
    serializer_class = shapes.Node
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = RemoteNode.objects.order_by("name")

    @extend_schema(responses=shapes.Node(many=True))
    def list(self, request: Request) -> Response:
        """All peers by name."""
        page = self.paginate_queryset(self.get_queryset())
        assert page is not None
        return self.get_paginated_response([_document(node) for node in page])

    @extend_schema(request=None, responses=shapes.EchoResult)
    @action(detail=True, methods=["post"])
    def echo(self, request: Request, pk: str) -> Response:
        """C-ECHO to a peer. A peer that does not answer is a result, not an error."""
        node = get_object_or_404(self.get_queryset(), pk=pk)
        assert isinstance(request.user, User)
        ok, detail = echo_node(node=node, user=request.user, channel="api")
        return Response({"ok": ok, "detail": detail})


def _document(node: RemoteNode) -> dict[str, Any]:
    return {
        "id": str(node.pk),
        "name": node.name,
        "ae_title": node.ae_title,
        "host": node.host,
        "port": node.port,
        "may_store": node.may_store,
        "active": node.active,
        "last_echo_at": node.last_echo_at,
        "last_echo_ok": node.last_echo_ok,
    }
