"""The archive in the admin site: peers to edit, studies to read, quarantine to decide on."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.models import Order, QuarantinedObject, RemoteNode, Series, Study
from pacs.services import Outcome, quarantine
from pacs.services.nodes import echo_node


class ReadOnly(ModelAdmin):
    """Rows that only services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(RemoteNode)
class RemoteNodeAdmin(ModelAdmin):
    list_display = (
        "name",
        "ae_title",
        "host",
        "port",
        "active",
        "may_store",
        "last_echo_ok",
        "last_echo_at",
    )
    list_filter = ("active", "may_store", "last_echo_ok")
    readonly_fields = ("last_echo_at", "last_echo_ok")
    actions = ("echo",)

    @admin.action(description="Send a C-ECHO")
    def echo(self, request: HttpRequest, queryset: QuerySet[RemoteNode]) -> None:
        for node in queryset[:20]:
            answered, told = echo_node(node=node, user=cast(User, request.user))
            self.message_user(request, told, messages.SUCCESS if answered else messages.ERROR)


class SeriesInline(TabularInline):
    model = Series
    fields = ("series_number", "modality", "series_description", "number_of_instances", "derived")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Study)
class StudyAdmin(ReadOnly):
    list_display = (
        "study_instance_uid",
        "accession_number",
        "modalities",
        "study_date",
        "state",
        "number_of_instances",
        "source",
        "received_at",
    )
    list_filter = ("state", "modalities")
    search_fields = ("study_instance_uid", "accession_number", "patient__patient_id")
    ordering = ("-received_at",)
    inlines = (SeriesInline,)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        audit.record_read(request, what="study list in the admin site", kind=audit.Kind.QUERY)
        return super().changelist_view(request, extra_context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        study = Study.objects.filter(pk=object_id).select_related("patient").first()
        if study is not None:
            audit.record_read(
                request,
                study_instance_uid=study.study_instance_uid,
                patient_id=study.patient.patient_id,
                what="study in the admin site",
            )
        return super().change_view(request, object_id, form_url, extra_context)


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("accession_number", "priority", "location_class", "department", "modality", "ordered_at")
    list_filter = ("priority", "location_class")
    search_fields = ("accession_number", "study_instance_uid")
    ordering = ("-ordered_at",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        audit.record_read(request, what="order list in the admin site", kind=audit.Kind.QUERY)
        return super().changelist_view(request, extra_context)


@admin.register(QuarantinedObject)
class QuarantinedObjectAdmin(ReadOnly):
    list_display = ("received_at", "reason", "detail", "source", "size", "resolved_at", "resolution")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "reason", "source")
    search_fields = ("sop_instance_uid", "study_instance_uid")
    ordering = ("-received_at",)
    actions = ("release", "discard")

    def has_release_permission(self, request: HttpRequest) -> bool:
        """Deciding needs the right to change, which the page itself withholds from everybody."""
        return request.user.has_perm("pacs.change_quarantinedobject")

    @admin.action(description="Release: file it again", permissions=["release"])
    def release(self, request: HttpRequest, queryset: QuerySet[QuarantinedObject]) -> None:
        for row in queryset:
            result = quarantine.release(quarantined=row, user=cast(User, request.user))
            filed = result.outcome in {Outcome.STORED, Outcome.DUPLICATE}
            told = f"Object {row.pk}: {result.outcome}. {result.detail}"
            self.message_user(request, told, messages.SUCCESS if filed else messages.ERROR)

    @admin.action(description="Discard: remove its bytes for good", permissions=["release"])
    def discard(self, request: HttpRequest, queryset: QuerySet[QuarantinedObject]) -> None:
        for row in queryset:
            if quarantine.discard(quarantined=row, user=cast(User, request.user)):
                self.message_user(request, f"Object {row.pk} is discarded.", messages.SUCCESS)
            else:
                self.message_user(
                    request, f"Object {row.pk}: {quarantine.NOTHING_TO_DECIDE}", messages.WARNING
                )
