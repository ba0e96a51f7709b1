"""The shapes of the archive's documents, for OpenAPI."""

from __future__ import annotations

from rest_framework import serializers

from pacs.models import QuarantinedObject, StudyState
from pacs.services import Outcome


class StudyPatient(serializers.Serializer):
    """A patient as the study's images name them."""

    id = serializers.CharField(help_text="Patient ID (0010,0020).")
    name = serializers.CharField(help_text="Patient's Name as received (PN).")
    birth_date = serializers.DateField(allow_null=True)
    age = serializers.CharField(allow_null=True, help_text="At the time of the study: 71 Y, 5 M, 3 W, 2 D.")
    sex = serializers.CharField()


class ArchiveStudy(serializers.Serializer):
    """A study in the archive."""

    study_instance_uid = serializers.CharField()
    accession_number = serializers.CharField()
    patient = StudyPatient()
    modalities = serializers.ListField(child=serializers.CharField())
    study_description = serializers.CharField()
    study_date = serializers.DateField(allow_null=True)
    number_of_series = serializers.IntegerField()
    number_of_instances = serializers.IntegerField()
    state = serializers.ChoiceField(choices=StudyState.choices)
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="Calling AE title or the entry it came through."
    )
    received_at = serializers.DateTimeField()
    completed_at = serializers.DateTimeField(allow_null=True)


class ArchiveSeries(serializers.Serializer):
    """A series in the archive."""

    series_instance_uid = serializers.CharField()
    modality = serializers.CharField()
    series_number = serializers.IntegerField(allow_null=True)
    series_description = serializers.CharField()
    body_part_examined = serializers.CharField()
    number_of_instances = serializers.IntegerField()
    derived = serializers.BooleanField(help_text="Made here from other series, such as AI results.")


class ArchiveStudyDetail(ArchiveStudy):
    """A study with its series."""

    series = ArchiveSeries(many=True)


class UploadRequest(serializers.Serializer):
    """DICOM files and zip archives of them."""

    files = serializers.ListField(child=serializers.FileField(), allow_empty=False)


class NotTaken(serializers.Serializer):
    """A file that is not in the archive now, and why."""

    name = serializers.CharField()
    reason = serializers.CharField()


class UploadResult(serializers.Serializer):
    """What became of an upload."""

    received = serializers.IntegerField(help_text="Files looked at; inside zip archives each file counts.")
    stored = serializers.IntegerField()
    duplicates = serializers.IntegerField(help_text="In the archive already, unchanged.")
    ignored = serializers.IntegerField(help_text="DICOMDIR and what operating systems leave in folders.")
    quarantined = NotTaken(many=True, help_text="Kept aside until an administrator decides.")
    refused = NotTaken(many=True, help_text="Not kept.")
    studies = serializers.ListField(child=serializers.CharField(), help_text="Study Instance UIDs.")


class Quarantined(serializers.Serializer):
    """An object that could not be filed."""

    id = serializers.CharField()
    received_at = serializers.DateTimeField()
    reason = serializers.ChoiceField(choices=QuarantinedObject.Reason.choices)
    detail = serializers.CharField(help_text="What is wrong and what to do.")
    source = serializers.CharField()  # type: ignore[assignment]
    sop_instance_uid = serializers.CharField()
    study_instance_uid = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    resolved_at = serializers.DateTimeField(allow_null=True)
    resolution = serializers.CharField()


class ReleaseResult(serializers.Serializer):
    """What became of an object that was released."""

    outcome = serializers.ChoiceField(choices=[(outcome.value, outcome.name.title()) for outcome in Outcome])
    reason = serializers.CharField()
    detail = serializers.CharField()


class Node(serializers.Serializer):
    """A DICOM peer."""

    id = serializers.CharField()
    name = serializers.CharField()
    ae_title = serializers.CharField()
    host = serializers.CharField()
    port = serializers.IntegerField()
    may_store = serializers.BooleanField()
    active = serializers.BooleanField()
    last_echo_at = serializers.DateTimeField(allow_null=True)
    last_echo_ok = serializers.BooleanField(allow_null=True)


class EchoResult(serializers.Serializer):
    """Whether a peer answers."""

    ok = serializers.BooleanField()
    detail = serializers.CharField(help_text="How long it took, or what went wrong and what to check.")
