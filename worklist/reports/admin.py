"""Reports in the admin site: their states, never their text, and nothing to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from worklist.reports.models import Report, ReportEntry, ReportVersion


class VersionInline(TabularInline):
    model = ReportVersion
    fields = ("version", "action", "at", "by", "sr_sop_instance_uid", "sr_attempted_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class EntryInline(TabularInline):
    model = ReportEntry
    fields = ("at", "action", "version", "by", "run")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Report)
class ReportAdmin(ModelAdmin):
    inlines = (VersionInline, EntryInline)
    fields = ("study", "state", "version", "signed_by", "signed_at", "sr_sop_instance_uid")
    list_display = ("study", "state", "version", "updated_at", "signed_by", "signed_at")
    list_filter = ("state",)
    search_fields = ("study__study_instance_uid",)
    ordering = ("-updated_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
