"""`/api/worklist/{study}/measurements/` and `/key-images/`: what readers drew and marked on a study's images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from pacs.models import Study
from pacs.selectors import studies_visible_to
from worklist.api import auditing, shapes
from worklist.api.bodies import valid
from worklist.api.documents import person
from worklist.reading import keeping
from worklist.reading.geometry import Kind, NotMeasurable
from worklist.reading.models import KeptMeasurement, KeyImage

READERS = has_role(Role.RADIOLOGIST, Role.QA_REVIEWER)
RADIOLOGISTS = has_role(Role.RADIOLOGIST)
KINDS = [(kind.value, kind.value) for kind in Kind]
STUDY = OpenApiParameter("study_instance_uid", str, OpenApiParameter.PATH)


class NewMeasurement(serializers.Serializer):
    kind = serializers.ChoiceField(choices=KINDS)
    sop_instance_uid = serializers.RegexField(r"^[0-9.]{1,64}$")
    frame = serializers.IntegerField(min_value=1, default=1)
    points = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        min_length=2,
        max_length=4,
        help_text="(column, row) in image coordinates; the centre of the first pixel is (0.5, 0.5).",
    )
    label = serializers.CharField(max_length=64, allow_blank=True, default="")  # type: ignore[assignment]


class Measurement(serializers.Serializer):
    """A measurement as it stands in the archive."""

    id = serializers.CharField()
    kind = serializers.ChoiceField(choices=KINDS)
    text = serializers.CharField(help_text="What it measures: Length 23 mm")
    sentence = serializers.CharField(help_text="For the report: Length 23 mm (series 2, image 14).")
    series_instance_uid = serializers.CharField()
    sop_instance_uid = serializers.CharField()
    frame = serializers.IntegerField()
    sr_sop_instance_uid = serializers.CharField()
    by = shapes.Person()
    at = serializers.DateTimeField()


class NewKeyImage(serializers.Serializer):
    sop_instance_uid = serializers.RegexField(r"^[0-9.]{1,64}$")
    frame = serializers.IntegerField(min_value=1, default=1)
    description = serializers.CharField(max_length=200, allow_blank=True, default="")


class KeyImageRow(serializers.Serializer):
    """An image marked for the report."""

    id = serializers.CharField()
    place = serializers.CharField(help_text="series 2, image 14")
    description = serializers.CharField()
    series_instance_uid = serializers.CharField()
    sop_instance_uid = serializers.CharField()
    frame = serializers.IntegerField()
    ko_sop_instance_uid = serializers.CharField()
    picture_url = serializers.CharField(help_text="A picture of it, in the window that the image brings.")
    by = shapes.Person()
    at = serializers.DateTimeField()


class _OfAStudy(GenericViewSet[Any]):
    filter_backends: list[Any] = []

    def get_permissions(self) -> list[BasePermission]:
        return [READERS() if self.action == "list" else RADIOLOGISTS()]

    def study(self) -> Study:
        """The study that the address names."""
        return get_object_or_404(
            studies_visible_to(caller(self.request)).select_related("patient"),
            study_instance_uid=self.kwargs["study_instance_uid"],
        )


class MeasurementViewSet(_OfAStudy):
    """Measurements of a study, the first one first."""

    serializer_class = Measurement
    queryset = KeptMeasurement.objects.none()

    @extend_schema(parameters=[STUDY])
    def list(self, request: Request, study_instance_uid: str) -> Response:
        """What was kept of this study."""
        study = self.study()
        rows = KeptMeasurement.objects.filter(study=study).select_related("user").order_by("at", "pk")
        page = self.paginate_queryset(rows)
        assert page is not None
        auditing.study_read(request, study, "measurements")
        return self.get_paginated_response([_measurement(row) for row in page])

    @extend_schema(
        parameters=[STUDY],
        request=NewMeasurement,
        responses={200: Measurement, 404: shapes.Problem, 422: shapes.Problem, 503: shapes.Problem},
    )
    def create(self, request: Request, study_instance_uid: str) -> Response:
        """File a measurement as SR; the same drawing again answers what is there."""
        said = valid(NewMeasurement, request)
        with _refusals():
            row = keeping.keep_measurement(
                study=self.study(),
                user=caller(request),
                kind=Kind(said["kind"]),
                sop_instance_uid=said["sop_instance_uid"],
                frame=said["frame"],
                points=[(column, row) for column, row in said["points"]],
                label=said["label"],
                request=request._request,
            )
        return Response(_measurement(row))


class KeyImageViewSet(_OfAStudy):
    """Key images of a study, the first one first."""

    serializer_class = KeyImageRow
    lookup_value_regex = "[0-9]+"
    queryset = KeyImage.objects.none()

    @extend_schema(parameters=[STUDY])
    def list(self, request: Request, study_instance_uid: str) -> Response:
        """Those that stand."""
        study = self.study()
        page = self.paginate_queryset(_standing(study))
        assert page is not None
        auditing.study_read(request, study, "key images")
        return self.get_paginated_response([_key_image(row, study) for row in page])

    @extend_schema(
        parameters=[STUDY],
        request=NewKeyImage,
        responses={200: KeyImageRow, 404: shapes.Problem, 503: shapes.Problem},
    )
    def create(self, request: Request, study_instance_uid: str) -> Response:
        """File a Key Object Selection of one image; one that is marked already stays as it is."""
        said = valid(NewKeyImage, request)
        study = self.study()
        with _refusals():
            row = keeping.mark_key_image(study=study, user=caller(request), request=request._request, **said)
        return Response(_key_image(row, study))

    @extend_schema(parameters=[STUDY], responses={204: None, 404: shapes.Problem})
    def destroy(self, request: Request, study_instance_uid: str, pk: str) -> Response:
        """Take it out of the report; the archive keeps what was filed."""
        row = get_object_or_404(_standing(self.study()), pk=pk)
        keeping.unmark_key_image(key_image=row, user=caller(request), request=request._request)
        return Response(status=204)


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except keeping.NotInStudy as error:
        raise Problem(404, "Not in this study", str(error)) from None
    except NotMeasurable as error:
        raise Problem(422, "Nothing measured", str(error)) from None
    except keeping.NotStored as error:
        raise Problem(503, "Not stored", str(error)) from None


def _standing(study: Study) -> QuerySet[KeyImage]:
    return (
        KeyImage.objects.filter(study=study, removed_at__isnull=True)
        .select_related("user", "study__patient")
        .order_by("at", "pk")
    )


def _measurement(row: KeptMeasurement) -> dict[str, Any]:
    place = f" ({row.place})" if row.place else ""
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "text": row.text,
        "sentence": f"{row.text}{place}.",
        "series_instance_uid": row.series_instance_uid,
        "sop_instance_uid": row.sop_instance_uid,
        "frame": row.frame,
        "sr_sop_instance_uid": row.sr_sop_instance_uid,
        "by": person(row.user),
        "at": row.at,
    }


def _key_image(row: KeyImage, study: Study) -> dict[str, Any]:
    address = (
        f"/dicom-web/studies/{study.study_instance_uid}/series/{row.series_instance_uid}"
        f"/instances/{row.sop_instance_uid}/frames/{row.frame}/rendered"
    )
    return {
        "id": str(row.pk),
        "place": row.place,
        "description": row.description,
        "series_instance_uid": row.series_instance_uid,
        "sop_instance_uid": row.sop_instance_uid,
        "frame": row.frame,
        "ko_sop_instance_uid": row.ko_sop_instance_uid,
        "picture_url": address,
        "by": person(row.user),
        "at": row.at,
    }
