"""Modes and looks in the admin site: to look, never to change; modes are set on their page, with a reason."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from worklist.reading.models import Look, ReadingMode


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ReadingMode)
class ReadingModeAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "mode", "reason", "set_by", "set_at")
    list_select_related = ("user", "set_by")


@admin.register(Look)
class LookAdmin(ReadOnlyAdmin):
    list_display = ("study", "user", "mode", "opened_at", "first_look_at", "ai_shown_at")
    list_filter = ("mode",)
    list_select_related = ("study", "user")
    ordering = ("-pk",)
