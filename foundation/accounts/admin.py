"""Users and roles in the admin site."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from foundation.accounts.models import ApiToken, RoleAssignment, User
from foundation.audit import services as audit

admin.site.unregister(Group)


class RoleInline(TabularInline):
    model = RoleAssignment
    fk_name = "user"
    fields = ("role", "granted_by", "granted_at")
    readonly_fields = ("granted_by", "granted_at")
    extra = 0


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (RoleInline,)
    list_display = ("username", "display_name", "roles", "department", "is_active", "last_login")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("display_name", "email", "phone", "department", "time_zone")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
    )

    @admin.display(description="Roles")
    def roles(self, user: User) -> str:
        return ", ".join(str(a) for a in user.role_assignments.all())

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        for row in formset.save(commit=False):
            if isinstance(row, RoleAssignment) and row.pk is None:
                row.granted_by = request.user
        super().save_formset(request, form, formset, change)
        for kind in ("new_objects", "deleted_objects"):
            for row in getattr(formset, kind, []):
                audit.record(
                    audit.Kind.ROLES_CHANGED,
                    action="U",
                    user=request.user,
                    request=request,
                    detail={"user": row.user.username, "role": row.role, "change": kind},
                )


@admin.register(ApiToken)
class ApiTokenAdmin(ModelAdmin):
    list_display = ("user", "created_at", "last_used_at", "revoked_at")
    readonly_fields = ("user", "digest", "created_at", "last_used_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
