"""What the archive knows: patients, studies, series, instances, peers, orders, and what it refused.

Attributes keep the standard's keywords (PS3.6) and their values as received; dates and times of
studies carry no zone in DICOM and are kept as the strings that came.
"""

from __future__ import annotations

from django.db import models


class Patient(models.Model):
    """A patient as identified by Patient ID and its issuer."""

    patient_id = models.CharField(max_length=64, blank=True)
    issuer_of_patient_id = models.CharField(max_length=64, blank=True)
    patient_name = models.CharField(
        max_length=324, blank=True, help_text="PN as received, component groups by =."
    )
    patient_birth_date = models.CharField(max_length=8, blank=True, help_text="DA, YYYYMMDD, or empty.")
    patient_sex = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # Without a Patient ID nothing tells two people apart: each such study has a row of its own.
        constraints = [
            models.UniqueConstraint(
                fields=["patient_id", "issuer_of_patient_id"],
                condition=~models.Q(patient_id=""),
                name="pacs_patient_identity",
            )
        ]
        indexes = [models.Index(fields=["patient_name"])]

    def __str__(self) -> str:
        return f"Patient {self.pk}"


class StudyState(models.TextChoices):
    """Is everything here that the modality will send?"""

    RECEIVING = "receiving", "Receiving"
    COMPLETE = "complete", "Complete"


class Study(models.Model):
    """A study; on the worklist from its first instance."""

    study_instance_uid = models.CharField(max_length=64, unique=True)
    patient = models.ForeignKey(Patient, on_delete=models.PROTECT, related_name="studies")
    study_date = models.CharField(max_length=8, blank=True)
    study_time = models.CharField(max_length=16, blank=True)
    study_id = models.CharField(max_length=64, blank=True)
    accession_number = models.CharField(max_length=64, blank=True, db_index=True)
    study_description = models.CharField(max_length=255, blank=True)
    referring_physician_name = models.CharField(max_length=324, blank=True)
    institution_name = models.CharField(max_length=255, blank=True)
    patient_age = models.CharField(max_length=8, blank=True, help_text="AS as received, e.g. 071Y.")
    modalities = models.CharField(
        max_length=255, blank=True, help_text="Modalities in Study, sorted, joined by a backslash."
    )
    body_part_examined = models.CharField(max_length=64, blank=True)
    attributes = models.JSONField(
        default=dict, help_text="Patient and study level attributes as first received (DICOM JSON)."
    )
    number_of_series = models.PositiveIntegerField(default=0)
    number_of_instances = models.PositiveIntegerField(default=0)
    expected_instances = models.PositiveIntegerField(null=True, blank=True)

    state = models.CharField(max_length=16, choices=StudyState.choices, default=StudyState.RECEIVING)
    source = models.CharField(
        max_length=80, blank=True, help_text="Calling AE title or entry it came through."
    )
    received_at = models.DateTimeField(help_text="First instance stored.")
    last_instance_at = models.DateTimeField(help_text="Latest instance stored.")
    receiving_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when it is receiving; later than received_at when reopened."
    )
    associations_open = models.PositiveIntegerField(default=0)
    completion_due_at = models.DateTimeField(
        null=True,
        blank=True,
        db_index=True,
        help_text="When the completeness rule looks again; empty when complete.",
    )
    completed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, help_text="Raised by every change of content.")

    class Meta:
        indexes = [models.Index(fields=["state", "completion_due_at"]), models.Index(fields=["-received_at"])]
        verbose_name_plural = "studies"

    def __str__(self) -> str:
        return f"Study {self.study_instance_uid}"


class Series(models.Model):
    """A series."""

    series_instance_uid = models.CharField(max_length=64, unique=True)
    study = models.ForeignKey(Study, on_delete=models.PROTECT, related_name="series")
    modality = models.CharField(max_length=16, blank=True)
    series_number = models.IntegerField(null=True, blank=True)
    series_description = models.CharField(max_length=255, blank=True)
    body_part_examined = models.CharField(max_length=64, blank=True)
    protocol_name = models.CharField(max_length=255, blank=True)
    series_date = models.CharField(max_length=8, blank=True)
    series_time = models.CharField(max_length=16, blank=True)
    attributes = models.JSONField(
        default=dict, help_text="Series level attributes as first received (DICOM JSON)."
    )
    number_of_instances = models.PositiveIntegerField(default=0)
    derived = models.BooleanField(
        default=False, help_text="Made here (SEG, SR of AI results, reports), not by a modality."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name_plural = "series"

    def __str__(self) -> str:
        return f"Series {self.series_instance_uid}"


class Instance(models.Model):
    """An instance; its bytes lie at `storage_key` under the archive folder."""

    sop_instance_uid = models.CharField(max_length=64, unique=True)
    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="instances")
    sop_class_uid = models.CharField(max_length=64)
    transfer_syntax_uid = models.CharField(max_length=64)
    instance_number = models.IntegerField(null=True, blank=True)
    number_of_frames = models.PositiveIntegerField(default=1)
    rows = models.PositiveIntegerField(null=True, blank=True)
    columns = models.PositiveIntegerField(null=True, blank=True)
    storage_key = models.CharField(
        max_length=160, unique=True, help_text="Relative path, never derived from a UID as text."
    )
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    metadata = models.BinaryField(help_text="zlib of the instance's DICOM JSON (PS3.18 F) without bulk data.")
    source = models.CharField(max_length=80, blank=True)
    stored_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["series", "instance_number"])]

    def __str__(self) -> str:
        return f"Instance {self.sop_instance_uid}"


class QuarantinedObject(models.Model):
    """Something that came and could not be filed; kept until an administrator decides."""

    class Reason(models.TextChoices):
        NOT_DICOM = "not_dicom", "Not DICOM, or not readable"
        INVALID = "invalid", "Required attributes missing or malformed"
        UID_CONFLICT = "uid_conflict", "Same SOP Instance UID, other content"
        PATIENT_CONFLICT = "patient_conflict", "Series or study belongs to another patient or study"
        UNSUPPORTED = "unsupported", "Class or transfer syntax not accepted"

    reason = models.CharField(max_length=24, choices=Reason.choices)
    detail = models.CharField(max_length=500, help_text="What is wrong and what to do; no patient text.")
    sop_instance_uid = models.CharField(max_length=64, blank=True)
    study_instance_uid = models.CharField(max_length=64, blank=True)
    storage_key = models.CharField(max_length=160)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    source = models.CharField(max_length=80, blank=True)
    received_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["reason", "sha256"], name="pacs_quarantine_once"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} ({self.received_at:%Y-%m-%d %H:%M})"


class RemoteNode(models.Model):
    """A DICOM peer."""

    name = models.CharField(max_length=80, unique=True)
    ae_title = models.CharField(max_length=16)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=104)
    may_store = models.BooleanField(default=True, help_text="We accept C-STORE from it.")
    active = models.BooleanField(default=True)
    last_echo_at = models.DateTimeField(null=True, blank=True)
    last_echo_ok = models.BooleanField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.ae_title})"


class OrderPriority(models.TextChoices):
    """How urgent the requester says it is."""

    STAT = "stat", "STAT"
    ASAP = "asap", "ASAP"
    ROUTINE = "routine", "Routine"


class LocationClass(models.TextChoices):
    """Where the patient is."""

    ER = "er", "ER"
    ICU = "icu", "ICU"
    INPATIENT = "inpatient", "Inpatient"
    OUTPATIENT = "outpatient", "Outpatient"


class Order(models.Model):
    """A requested procedure; matched to its study by UID or accession number, whichever comes first."""

    accession_number = models.CharField(max_length=64, unique=True)
    study_instance_uid = models.CharField(max_length=64, blank=True, db_index=True)
    study = models.OneToOneField(
        Study, on_delete=models.SET_NULL, null=True, blank=True, related_name="order"
    )
    patient_id = models.CharField(max_length=64)
    issuer_of_patient_id = models.CharField(max_length=64, blank=True)
    patient_name = models.CharField(max_length=324, blank=True)
    priority = models.CharField(max_length=16, choices=OrderPriority.choices, default=OrderPriority.ROUTINE)
    location_class = models.CharField(
        max_length=16, choices=LocationClass.choices, default=LocationClass.OUTPATIENT
    )
    location = models.CharField(max_length=120, blank=True)
    department = models.CharField(max_length=120, blank=True)
    requesting_physician = models.CharField(
        max_length=324, blank=True, help_text="Who asked for it, as a person name (PS3.5 6.2)."
    )
    reason_for_exam = models.CharField(max_length=500, blank=True)
    procedure = models.CharField(max_length=255, blank=True)
    modality = models.CharField(max_length=16, blank=True)
    ordered_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"Order {self.accession_number}"
