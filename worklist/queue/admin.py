"""The worklist in the admin site: to look, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from worklist.queue.models import RankChange, WorklistItem


class RankChangeInline(TabularInline):
    model = RankChange
    fields = ("at", "cause", "policy_version", "due_at", "reasons")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(WorklistItem)
class WorklistItemAdmin(ModelAdmin):
    inlines = (RankChangeInline,)
    list_display = ("study", "state", "priority_class", "location_class", "ai_status", "due_at", "claimed_by")
    list_filter = ("state", "priority_class", "location_class", "ai_status", "ai_flagged")
    search_fields = ("study__study_instance_uid",)
    ordering = ("due_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
