"""Groups and shifts in the admin site: to look, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from worklist.rota.models import Membership, ReadingGroup, Shift


class ReadOnlyAdmin(ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class MembershipInline(TabularInline):
    model = Membership
    fk_name = "group"
    fields = ("user", "added_by", "added_at")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ReadingGroup)
class ReadingGroupAdmin(ReadOnlyAdmin):
    inlines = (MembershipInline,)
    list_display = ("name", "modalities", "body_parts", "institutions", "location_classes", "active")
    list_filter = ("active",)
    search_fields = ("name",)
    ordering = ("name",)


@admin.register(Shift)
class ShiftAdmin(ReadOnlyAdmin):
    list_display = ("duty", "user", "group", "department", "position", "starts_at", "ends_at", "cancelled_at")
    list_filter = ("duty", "group", "department")
    list_select_related = ("user", "group")
    search_fields = ("user__username", "user__display_name")
    ordering = ("-starts_at",)
