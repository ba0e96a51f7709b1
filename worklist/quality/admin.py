"""Reviews in the admin site: to look, never to change, and without report text."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from worklist.quality.models import Review


@admin.register(Review)
class ReviewAdmin(ModelAdmin):
    fields = (
        "study",
        "run",
        "report_version",
        "ai_result",
        "ai_probability",
        "reader_result",
        "concordance",
        "sampled",
        "state",
        "verdict",
        "reviewer",
        "reviewed_at",
        "superseded_at",
    )
    list_display = (
        "run",
        "ai_result",
        "reader_result",
        "concordance",
        "sampled",
        "state",
        "verdict",
        "signed_at",
    )
    list_filter = ("concordance", "sampled", "state", "run__model")
    search_fields = ("study__study_instance_uid",)
    ordering = ("-signed_at",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
