"""The trail in the admin site: to read, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from foundation.audit import services
from foundation.audit.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ModelAdmin):
    list_display = ("at", "kind", "action", "outcome", "username", "peer", "channel", "study_instance_uid")
    list_filter = ("kind", "action", "channel", "outcome")
    search_fields = ("username", "study_instance_uid", "patient_id", "peer")
    ordering = ("-pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        services.record_read(request, what="audit trail", kind=services.Kind.AUDIT_LOG_USED)
        return super().changelist_view(request, extra_context)
