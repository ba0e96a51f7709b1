"""The shapes of simulations, for OpenAPI. Minutes and shares; no patient data."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from pacs.models import LocationClass, OrderPriority
from worklist.api.shapes import Person
from worklist.queue.priority import CRITICALITIES
from worklist.simulation.department import READ_SHAPES
from worklist.simulation.models import SimulationState


class OrderShare(serializers.Serializer):
    priority = serializers.ChoiceField(choices=OrderPriority.choices)
    location = serializers.ChoiceField(choices=LocationClass.choices)
    share = serializers.FloatField(min_value=0.0001, max_value=1_000_000)


class SimulationParameters(serializers.Serializer):
    """Exactly one of `load` and `arrivals_per_hour` is not null."""

    load = serializers.FloatField(min_value=0.01, max_value=0.99, allow_null=True)
    arrivals_per_hour = serializers.FloatField(min_value=0.01, max_value=10_000, allow_null=True)
    readers = serializers.IntegerField(min_value=1, max_value=100)
    read_minutes = serializers.FloatField(min_value=0.1, max_value=240)
    read_shape = serializers.ChoiceField(choices=READ_SHAPES)
    read_variation = serializers.FloatField(min_value=0.01, max_value=5)
    prevalence = serializers.FloatField(min_value=0, max_value=1)
    sensitivity = serializers.FloatField(min_value=0, max_value=1)
    specificity = serializers.FloatField(min_value=0, max_value=1)
    ai_delay_minutes = serializers.FloatField(min_value=0, max_value=1440)
    criticality = serializers.ChoiceField(choices=CRITICALITIES)
    classes = OrderShare(many=True, max_length=12)  # type: ignore[call-arg]  # of ListSerializer, unknown to the stubs
    studies = serializers.IntegerField(min_value=100, max_value=100_000)
    replications = serializers.IntegerField(min_value=1, max_value=50)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1)


class AskedParameters(SimulationParameters):
    """What is left out is as in the synthetic department."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for field in self.fields.values():
            field.required = False


class NewSimulation(serializers.Serializer):
    name = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    parameters = AskedParameters()


class SimulationDefaults(serializers.Serializer):
    parameters = SimulationParameters()
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Where each figure of the site's own log comes from."
    )


class SimulatedMean(serializers.Serializer):
    """A mean with its 95 % interval over replications; null for a single one."""

    value = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class SimulatedGroup(serializers.Serializer):
    studies = serializers.IntegerField()
    mean = SimulatedMean()
    median = serializers.FloatField()
    p95 = serializers.FloatField()
    p999 = serializers.FloatField()
    longest = serializers.FloatField()
    breached = serializers.FloatField(help_text="Share that waited past the target of its order.")
    mean_change = SimulatedMean(allow_null=True, help_text="Against first in, first out; -0.7: 70 % less.")
    p999_change = serializers.FloatField(allow_null=True)
    waiting = SimulatedMean(many=True, help_text="Share that still waits after each of `minutes`.")


class SimulatedOrdering(serializers.Serializer):
    name = serializers.CharField()
    words = serializers.CharField()
    groups = serializers.DictField(child=SimulatedGroup(), help_text="all, diseased, others, flagged, …")
    classes = serializers.DictField(
        child=serializers.DictField(child=SimulatedGroup()), help_text="By priority/location, then by group."
    )
    pushed_back = serializers.FloatField(help_text="Share read later than first in, first out would have.")
    pushed_back_minutes = serializers.FloatField()
    pushed_back_longest = serializers.FloatField()


class FrontierPoint(serializers.Serializer):
    """What the diseased win, and what it costs the slowest of the unflagged, against first in, first out."""

    name = serializers.CharField()
    words = serializers.CharField()
    diseased_mean_change = SimulatedMean()
    unflagged_p999_change = serializers.FloatField()


class SimulationResult(serializers.Serializer):
    utilisation = serializers.FloatField()
    arrivals_per_hour = serializers.FloatField()
    studies = serializers.IntegerField()
    replications = serializers.IntegerField()
    minutes = serializers.ListField(child=serializers.FloatField())
    orderings = SimulatedOrdering(many=True)
    frontier = FrontierPoint(many=True)


class SimulationSummary(serializers.Serializer):
    id = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=SimulationState.choices)
    progress = serializers.FloatField(help_text="0 to 1.")
    error = serializers.CharField()
    parameters = SimulationParameters()
    requested_by = Person(allow_null=True)
    mine = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class Simulation(SimulationSummary):
    result = SimulationResult(allow_null=True)
