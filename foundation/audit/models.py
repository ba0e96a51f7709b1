"""The append-only trail and its hash chain.

Two tables, both guarded by triggers against UPDATE and DELETE. An AuditEvent is written in the
transaction of what it tells about, without any lock, so auditing never serialises clinical work. An
AuditSeal chains events afterwards, in order, under one lock.
"""

from django.conf import settings
from django.db import models


class AuditEvent(models.Model):
    """Who did what to what, after DICOM PS3.15 A.5."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=16, help_text="Event or event type code, DCM.")
    action = models.CharField(max_length=1, help_text="C, R, U, D or E.")
    outcome = models.PositiveSmallIntegerField(
        default=0, help_text="0 success, 4 minor, 8 serious, 12 major failure."
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
    )
    username = models.CharField(max_length=150, blank=True)
    peer = models.CharField(
        max_length=200, blank=True, help_text="Network address or AE title of the caller."
    )
    channel = models.CharField(
        max_length=16, help_text="page, api, dicomweb, dimse, websocket, command, system."
    )
    study_instance_uid = models.CharField(max_length=64, blank=True, db_index=True)
    patient_id = models.CharField(max_length=64, blank=True, db_index=True)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [models.Index(fields=["at"])]

    def __str__(self) -> str:
        return f"{self.kind} {self.action} {self.username} {self.at:%Y-%m-%d %H:%M:%S}"


class AuditSeal(models.Model):
    """One link of the chain: hash = SHA-256(previous hash, the event's canonical form)."""

    event = models.OneToOneField(AuditEvent, on_delete=models.DO_NOTHING, related_name="seal")
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    def __str__(self) -> str:
        return f"{self.pk}: {self.hash[:12]}"
