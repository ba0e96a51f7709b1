"""`/api/lists/`: views of the worklist under a name, one's own and those that others share."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from worklist.api import documents, shapes
from worklist.api.bodies import valid
from worklist.queue import saved_lists
from worklist.queue.models import SavedList as SavedListRow
from worklist.queue.saved_lists import DENSITIES, NotSaved

READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER)
MOST_FILTERS = 30
LONGEST_FILTER = 200


class SavedList(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    owner = shapes.Person()
    mine = serializers.BooleanField()
    shared = serializers.BooleanField()
    filters = serializers.DictField(child=serializers.CharField(), help_text="The page's query, by name.")
    columns = serializers.ListField(child=serializers.CharField())
    density = serializers.ChoiceField(choices=DENSITIES)
    position = serializers.IntegerField()


class SavedListChange(serializers.Serializer):
    """What is left out stays."""

    name = serializers.CharField(max_length=80, required=False)
    shared = serializers.BooleanField(required=False)
    filters = serializers.DictField(
        child=serializers.CharField(max_length=LONGEST_FILTER, allow_blank=True), required=False
    )
    columns = serializers.ListField(
        child=serializers.SlugField(max_length=40), max_length=MOST_FILTERS, required=False
    )
    density = serializers.ChoiceField(choices=DENSITIES, required=False)
    position = serializers.IntegerField(min_value=0, max_value=10_000, required=False)

    def validate_filters(self, value: dict[str, str]) -> dict[str, str]:
        if len(value) > MOST_FILTERS or any(len(name) > 40 for name in value):
            raise serializers.ValidationError(f"At most {MOST_FILTERS} filters with short names.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        # What somebody searched for may name a patient: it stays with them.
        shared = attrs.get("shared", self.instance.shared if self.instance else False)
        filters = attrs.get("filters", self.instance.filters if self.instance else {})
        if shared and filters.get("search"):
            raise serializers.ValidationError(
                {
                    "shared": [
                        "A list with a search text is not shared: it may name a patient. Clear it first."
                    ]
                }
            )
        return attrs


class NewSavedList(SavedListChange):
    name = serializers.CharField(max_length=80)


class SavedListViewSet(GenericViewSet[SavedListRow]):
    """Everybody changes only their own."""

    permission_classes = [READERS]
    serializer_class = SavedList
    filter_backends: list[Any] = []
    lookup_value_regex = "[0-9]{1,18}"
    queryset = SavedListRow.objects.none()

    def list(self, request: Request) -> Response:
        """One's own in order, then what others share."""
        page = self.paginate_queryset(saved_lists.lists_for(caller(request)))
        assert page is not None
        return self.get_paginated_response([_document(one, request) for one in page])

    @extend_schema(request=NewSavedList, responses={201: SavedList, 409: shapes.Problem})
    def create(self, request: Request) -> Response:
        """Save the present view under a name."""
        said = valid(NewSavedList, request)
        try:
            made = saved_lists.save(owner=caller(request), **said)
        except NotSaved as error:
            raise Problem(409, "Not saved", str(error)) from None
        return Response(_document(made, request), status=201)

    @extend_schema(request=SavedListChange, responses={200: SavedList, 409: shapes.Problem})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Rename, share, reorder or overwrite one's own list."""
        row = self._own(request, pk)
        said = SavedListChange(row, data=request.data, partial=True)
        said.is_valid(raise_exception=True)
        try:
            changed = saved_lists.change(saved=row, **said.validated_data)
        except NotSaved as error:
            raise Problem(409, "Not saved", str(error)) from None
        return Response(_document(changed, request))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Delete one's own list."""
        self._own(request, pk).delete()
        return Response(status=204)

    @staticmethod
    def _own(request: Request, pk: str) -> SavedListRow:
        row: SavedListRow = get_object_or_404(saved_lists.lists_for(caller(request)), pk=pk)
        if row.owner_id != caller(request).pk:
            raise Problem(403, "Not yours", f"Only {row.owner} changes this list. Save a copy of your own.")
        return row


def _document(row: SavedListRow, request: Request) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "name": row.name,
        "owner": documents.person(row.owner),
        "mine": row.owner_id == caller(request).pk,
        "shared": row.shared,
        "filters": row.filters,
        "columns": row.columns,
        "density": row.density,
        "position": row.position,
    }
