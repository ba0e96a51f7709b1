"""Alerts and their delivery log in the admin site: to look, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from worklist.alerts.models import Alert, AlertStep


class AlertStepInline(TabularInline):
    model = AlertStep
    fields = ("at", "rung", "who", "channel", "outcome")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Alert)
class AlertAdmin(ModelAdmin):
    inlines = (AlertStepInline,)
    list_display = ("study", "finding_code", "state", "rung", "raised_at", "acknowledged_name")
    list_filter = ("state", "rung", "finding_code")
    search_fields = ("study__study_instance_uid",)
    ordering = ("-raised_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
