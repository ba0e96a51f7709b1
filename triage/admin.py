"""Models, rules, runs and findings in the admin site."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin, TabularInline

from foundation.audit import services as audit
from foundation.transitions import IllegalTransition, LostRace
from triage import runs
from triage.models import Finding, ModelDecision, ModelVersion, RoutingRule, TriagePlan, TriageRun
from triage.routing import check_conditions


class ReadOnly:
    """Rows that the system writes: to look at, not to change."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RuleForm(forms.ModelForm):
    """A rule whose conditions are checked before they are kept."""

    class Meta:
        model = RoutingRule
        fields = ("model", "name", "conditions", "active")

    def clean_conditions(self) -> dict[str, Any]:
        """Refuse conditions that routing does not know."""
        conditions: dict[str, Any] = self.cleaned_data["conditions"]
        if faults := check_conditions(conditions):
            raise ValidationError(faults)
        return conditions


class RuleInline(TabularInline):
    model = RoutingRule
    form = RuleForm
    fields = ("name", "conditions", "active")
    extra = 0


class DecisionInline(ReadOnly, TabularInline):
    model = ModelDecision
    fields = ("at", "by", "action", "from_state", "to_state", "reason")
    readonly_fields = fields
    extra = 0


@admin.register(ModelVersion)
class ModelVersionAdmin(ModelAdmin):
    """Everything about a model, to look at; its rules change here. Decisions are made at /models, with a
    reason and, for live, by two people."""

    list_display = ("name", "version", "state", "finding_meaning", "rank_threshold", "alert_threshold")
    list_filter = ("state", "finding_meaning")
    inlines = (RuleInline, DecisionInline)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in ModelVersion._meta.fields]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        if any(formset.has_changed() for formset in formsets):
            audit.record(
                audit.Kind.APPLICATION_ACTIVITY,
                action="U",
                request=request,
                detail={"what": "routing rules", "model": str(form.instance)},
            )


@admin.register(RoutingRule)
class RoutingRuleAdmin(ModelAdmin):
    form = RuleForm
    list_display = ("name", "model", "active")
    list_filter = ("active", "model")

    def save_model(self, request: HttpRequest, obj: RoutingRule, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._audit(request, "U" if change else "C", obj)

    def delete_model(self, request: HttpRequest, obj: RoutingRule) -> None:
        self._audit(request, "D", obj)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RoutingRule]) -> None:
        for rule in queryset:
            self._audit(request, "D", rule)
        super().delete_queryset(request, queryset)

    def _audit(self, request: HttpRequest, action: str, rule: RoutingRule) -> None:
        audit.record(
            audit.Kind.APPLICATION_ACTIVITY,
            action=action,
            request=request,
            detail={"what": "routing rule", "rule": rule.pk, "model": str(rule.model), "active": rule.active},
        )


class FindingInline(ReadOnly, TabularInline):
    model = Finding
    fields = ("meaning", "presence", "probability", "volume_ml", "side", "slice_from", "slice_to")
    extra = 0


@admin.register(TriageRun)
class TriageRunAdmin(ReadOnly, ModelAdmin):
    list_display = ("pk", "study", "model", "model_state", "state", "outcome", "attempts", "created_at")
    list_filter = ("state", "outcome", "model", "model_state")
    search_fields = ("study__study_instance_uid", "study__accession_number")
    list_select_related = ("study", "model")
    ordering = ("-pk",)
    inlines = (FindingInline,)
    actions = ("ask_again",)

    @admin.action(description="Ask again (failed or not analysed)")
    def ask_again(self, request: HttpRequest, queryset: QuerySet[TriageRun]) -> None:
        for run in queryset.filter(series__isnull=False).select_related("study"):
            try:
                runs.retry(run=run, by=request.user)  # type: ignore[arg-type]
            except (IllegalTransition, LostRace) as error:
                self.message_user(request, f"Run {run.pk}: {error}", messages.ERROR)


@admin.register(TriagePlan)
class TriagePlanAdmin(ReadOnly, ModelAdmin):
    list_display = ("study", "planned_at", "reason")
    search_fields = ("study__study_instance_uid", "study__accession_number")
    ordering = ("-planned_at",)


@admin.register(Finding)
class FindingAdmin(ReadOnly, ModelAdmin):
    list_display = ("run", "meaning", "presence", "probability", "volume_ml", "side")
    list_filter = ("presence", "meaning")
    search_fields = ("run__study__study_instance_uid",)
    ordering = ("-pk",)
