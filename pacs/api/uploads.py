"""`POST /api/uploads/`: files and zip archives from a browser or a program."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from foundation.problems import Problem
from pacs import storage
from pacs.api import shapes
from pacs.api.unpacking import Unpacking
from pacs.services import Outcome, Source, StoreResult, store_instances


class Uploads(APIView):
    """Uploading."""

    permission_classes = [has_role(Role.PACS_ADMINISTRATOR, Role.SERVICE)]
    parser_classes = [MultiPartParser]

    @extend_schema(
        request={"multipart/form-data": shapes.UploadRequest},
        responses=shapes.UploadResult,
        operation_id="uploads_create",
    )
    def post(self, request: Request) -> Response:
        """Store DICOM files and the contents of zip archives; every file is accounted for in the answer."""
        try:
            files = request.FILES.getlist("files")
        except (TooManyFilesSent, RequestDataTooBig) as error:
            raise Problem(413, "Too large", "Send fewer files at once.") from error
        if not files:
            raise ValidationError({"files": ["Send at least one file."]})
        try:
            storage.ensure_room()
        except storage.StorageFull as error:
            raise Problem(507, "The archive is full", str(error)) from error
        assert isinstance(request.user, User)
        peer = str(request.META.get("REMOTE_ADDR", ""))
        source = Source(label="upload", channel="api", peer=peer, user=request.user)
        unpacking = Unpacking(files)
        results = store_instances(iter(unpacking), source=source)
        return Response(_document(unpacking, results))


def _document(unpacking: Unpacking, results: list[StoreResult]) -> dict[str, Any]:
    counts = {outcome: sum(result.outcome == outcome for result in results) for outcome in Outcome}
    return {
        "received": unpacking.received,
        "stored": counts[Outcome.STORED],
        "duplicates": counts[Outcome.DUPLICATE],
        "ignored": unpacking.ignored,
        "quarantined": _not_taken(results, Outcome.QUARANTINED),
        "refused": [{"name": name, "reason": reason} for name, reason in unpacking.refused]
        + _not_taken(results, Outcome.REFUSED),
        "studies": sorted(
            {
                result.study_instance_uid
                for result in results
                if result.outcome in {Outcome.STORED, Outcome.DUPLICATE}
            }
        ),
    }


def _not_taken(results: list[StoreResult], outcome: Outcome) -> list[dict[str, str]]:
    return [
        {"name": result.name, "reason": result.detail or result.reason}
        for result in results
        if result.outcome == outcome
    ]
