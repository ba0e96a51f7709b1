"""Filters and search of the worklist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from foundation.accounts.permissions import caller
from pacs.models import LocationClass, OrderPriority
from worklist.api import blinding
from worklist.queue import search
from worklist.queue.holding import held_now
from worklist.queue.models import UNREAD, AiStatus, ItemFlag, ItemState, WorklistItem
from worklist.queue.sharing import for_reader


class NumberInFilter(django_filters.BaseInFilter, django_filters.NumberFilter):
    """Several ids, separated by commas."""


class WorklistFilter(django_filters.FilterSet):
    """`?state=` may repeat; without it, what is unread."""

    id = NumberInFilter(field_name="pk", lookup_expr="in", help_text="One or more ids, by commas.")
    search = django_filters.CharFilter(
        method="filter_search", help_text="Patient name or ID, accession number, study, reason for exam."
    )
    state = django_filters.MultipleChoiceFilter(choices=ItemState.choices)
    modality = django_filters.CharFilter(method="filter_modality")
    priority_class = django_filters.MultipleChoiceFilter(choices=OrderPriority.choices)
    location_class = django_filters.MultipleChoiceFilter(choices=LocationClass.choices)
    ai_status = django_filters.MultipleChoiceFilter(choices=AiStatus.choices, method="filter_ai_status")
    ai_flag = django_filters.BooleanFilter(method="filter_ai_flag", help_text="Raised by a live model.")
    mine = django_filters.BooleanFilter(method="filter_mine", help_text="Claimed by the caller.")
    assigned = django_filters.ChoiceFilter(
        choices=[("me", "To the caller"), ("nobody", "To nobody")], method="filter_assigned"
    )
    held = django_filters.BooleanFilter(method="filter_held", help_text="Waiting for something now.")
    raised = django_filters.BooleanFilter(method="filter_raised", help_text="By a reader, above the order.")
    flag = django_filters.MultipleChoiceFilter(choices=ItemFlag.Kind.choices, method="filter_flag")
    group = django_filters.NumberFilter(field_name="groups", help_text="Id of a reading group.")
    list = django_filters.ChoiceFilter(
        choices=[("mine", "Mine"), ("all", "All")],
        method="filter_list",
        help_text="mine: my groups' studies, those of no group, shared, assigned to me, or overdue.",
    )
    study_instance_uid = django_filters.CharFilter(field_name="study__study_instance_uid")
    accession_number = django_filters.CharFilter(method="filter_accession_number")
    patient_id = django_filters.CharFilter(field_name="study__patient__patient_id")

    class Meta:
        model = WorklistItem
        fields: list[str] = []

    def filter_queryset(self, queryset: QuerySet[WorklistItem]) -> QuerySet[WorklistItem]:
        queryset = super().filter_queryset(queryset)
        if self.form.cleaned_data["state"]:
            return queryset
        return queryset.filter(UNREAD)

    def filter_search(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(search.holds(search.words_of(value)))

    def filter_ai_status(self, queryset: Any, name: str, value: Sequence[str]) -> Any:
        return blinding.with_status(queryset, caller(self.request), value) if value else queryset

    def filter_ai_flag(self, queryset: Any, name: str, value: bool) -> Any:
        flagged = blinding.flagged(caller(self.request))
        return queryset.filter(flagged) if value else queryset.exclude(flagged)

    def filter_modality(self, queryset: Any, name: str, value: str) -> Any:
        modality = value.upper()
        field = "study__modalities"
        return queryset.filter(
            Q(**{field: modality})
            | Q(**{f"{field}__startswith": f"{modality}\\"})
            | Q(**{f"{field}__endswith": f"\\{modality}"})
            | Q(**{f"{field}__contains": f"\\{modality}\\"})
        )

    def filter_accession_number(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(Q(study__accession_number=value) | Q(study__order__accession_number=value))

    def filter_assigned(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(assigned_to=self.request.user if value == "me" else None)

    def filter_held(self, queryset: Any, name: str, value: bool) -> Any:
        held = held_now(timezone.now())
        return queryset.filter(held) if value else queryset.exclude(held)

    def filter_raised(self, queryset: Any, name: str, value: bool) -> Any:
        raised = ~Q(raised_to="")
        return queryset.filter(raised) if value else queryset.exclude(raised)

    def filter_flag(self, queryset: Any, name: str, value: Sequence[str]) -> Any:
        if not value:
            return queryset
        marked = ItemFlag.objects.filter(item=OuterRef("pk"), kind__in=value)
        return queryset.filter(Exists(marked))

    def filter_list(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(for_reader(self.request.user)) if value == "mine" else queryset

    def filter_mine(self, queryset: Any, name: str, value: bool) -> Any:
        mine = Q(claimed_by=self.request.user)
        return queryset.filter(mine) if value else queryset.exclude(mine)
