"""`/api/studies/`: the archive browser."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role
from foundation.accounts.permissions import caller, has_role
from foundation.audit import services as audit
from pacs.api import shapes
from pacs.demographics import age_text, iso_date
from pacs.models import Series, Study
from pacs.selectors import hide_withheld, studies_visible_to, withheld_from

SEARCHED = (
    "patient__patient_name",
    "patient__patient_id",
    "accession_number",
    "study_description",
)
MOST_WORDS = 8


class StudyViewSet(GenericViewSet[Study]):
    """Studies that the caller may see, latest arrivals first."""

    permission_classes = [has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR, Role.SERVICE)]
    serializer_class = shapes.ArchiveStudy
    filter_backends: list[Any] = []
    lookup_field = "study_instance_uid"
    lookup_value_regex = "[0-9.]{1,64}"
    queryset = Study.objects.none()

    def get_queryset(self) -> QuerySet[Study]:
        return studies_visible_to(self.request.user).select_related("patient").order_by("-received_at", "-pk")

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "search",
                OpenApiTypes.STR,
                description="Words that all occur in patient name, Patient ID, accession number or description.",
            )
        ],
        responses=shapes.ArchiveStudy(many=True),
    )
    def list(self, request: Request) -> Response:
        """A page of studies."""
        words = request.query_params.get("search", "").replace("\0", "").split()[:MOST_WORDS]
        found = self.get_queryset()
        for word in words:
            found = found.filter(_holds(word))
        page = self.paginate_queryset(found)
        assert page is not None
        audit.record_read(
            request._request, kind=audit.Kind.QUERY, what="archive by words" if words else "archive"
        )
        hide_withheld(caller(request), page)
        return self.get_paginated_response([study_document(study) for study in page])

    @extend_schema(responses=shapes.ArchiveStudyDetail)
    def retrieve(self, request: Request, study_instance_uid: str) -> Response:
        """One study with its series."""
        study = get_object_or_404(self.get_queryset(), study_instance_uid=study_instance_uid)
        audit.record_read(
            request._request,
            kind=audit.Kind.PATIENT_RECORD,
            study_instance_uid=study.study_instance_uid,
            patient_id=study.patient.patient_id,
            what="archive study",
        )
        hide_withheld(caller(request), [study])
        series = study.series.order_by("series_number", "pk")
        withheld = withheld_from(caller(request))
        if withheld is not None:
            series = series.filter(~withheld)
        return Response(study_document(study) | {"series": [series_document(one) for one in series]})


def study_document(study: Study) -> dict[str, Any]:
    """An ArchiveStudy."""
    patient = study.patient
    return {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "patient": {
            "id": patient.patient_id,
            "name": patient.patient_name,
            "birth_date": iso_date(patient.patient_birth_date),
            "age": age_text(study.patient_age, patient.patient_birth_date, study.study_date),
            "sex": patient.patient_sex,
        },
        "modalities": [name for name in study.modalities.split("\\") if name],
        "study_description": study.study_description,
        "study_date": iso_date(study.study_date),
        "number_of_series": study.number_of_series,
        "number_of_instances": study.number_of_instances,
        "state": study.state,
        "source": study.source,
        "received_at": study.received_at,
        "completed_at": study.completed_at,
    }


def series_document(series: Series) -> dict[str, Any]:
    """An ArchiveSeries."""
    return {
        "series_instance_uid": series.series_instance_uid,
        "modality": series.modality,
        "series_number": series.series_number,
        "series_description": series.series_description,
        "body_part_examined": series.body_part_examined,
        "number_of_instances": series.number_of_instances,
        "derived": series.derived,
    }


def _holds(word: str) -> Q:
    # A regular expression, because SQLite's LIKE ignores the case of ASCII letters alone.
    expression = re.escape(word[:64])
    condition = Q(study_instance_uid=word)
    for column in SEARCHED:
        condition |= Q(**{f"{column}__iregex": expression})
    return condition
