"""`/api/orders/`: orders in, orders out."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import has_role
from foundation.audit import services as audit
from pacs.models import LocationClass, Order, OrderPriority
from pacs.orders.services import receive_order


class OrderSerializer(serializers.Serializer[Order]):
    """An order as it comes and goes."""

    id = serializers.IntegerField(read_only=True)
    accession_number = serializers.CharField(max_length=64)
    patient_id = serializers.CharField(max_length=64)
    issuer_of_patient_id = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")
    patient_name = serializers.CharField(max_length=324, required=False, allow_blank=True, default="")
    study_instance_uid = serializers.RegexField(
        r"^[0-9]+(\.[0-9]+)*$", max_length=64, required=False, allow_blank=True, default=""
    )
    priority = serializers.ChoiceField(OrderPriority.choices, default=OrderPriority.ROUTINE)
    location_class = serializers.ChoiceField(LocationClass.choices, default=LocationClass.OUTPATIENT)
    location = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    department = serializers.CharField(max_length=120, required=False, allow_blank=True, default="")
    requesting_physician = serializers.CharField(
        max_length=324,
        required=False,
        allow_blank=True,
        default="",
        help_text="Person name (PS3.5 6.2). The next study offered to a reader is never one they asked for.",
    )
    reason_for_exam = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    procedure = serializers.CharField(max_length=255, required=False, allow_blank=True, default="")
    modality = serializers.CharField(max_length=16, required=False, allow_blank=True, default="")
    ordered_at = serializers.DateTimeField(required=False)
    matched_study_instance_uid = serializers.CharField(
        source="study.study_instance_uid", read_only=True, default=None
    )

    def validate_ordered_at(self, value: datetime) -> datetime:
        """Orders come from the past; clocks may differ by minutes, not by days."""
        if (value - timezone.now()).total_seconds() > 24 * 3600:
            raise serializers.ValidationError("This is more than a day in the future.")
        return value


class OrderFilter(filters.FilterSet):
    """Any field of an order."""

    class Meta:
        model = Order
        fields = (
            "accession_number",
            "study_instance_uid",
            "patient_id",
            "priority",
            "location_class",
            "department",
            "modality",
        )


class OrdersView(ListAPIView[Order]):
    """GET lists orders, POST takes one; the same accession number again updates it."""

    serializer_class = OrderSerializer
    filterset_class = OrderFilter

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.select_related("study").order_by("-ordered_at", "-pk")

    def get_permissions(self) -> list[BasePermission]:
        if self.request.method == "POST":
            return [has_role(Role.SERVICE, Role.PACS_ADMINISTRATOR)()]
        return [has_role(Role.SERVICE, Role.PACS_ADMINISTRATOR, Role.RADIOLOGIST)()]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        audit.record_read(request._request, what="orders", kind=audit.Kind.QUERY)
        return self.list(request, *args, **kwargs)

    @extend_schema(request=OrderSerializer, responses={200: OrderSerializer, 201: OrderSerializer})
    def post(self, request: Request) -> Response:
        given = OrderSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        user = request.user if isinstance(request.user, User) else None
        values = dict(given.validated_data)
        order, created = receive_order(**values, user=user, channel="api")
        return Response(
            OrderSerializer(order).data, status=status.HTTP_201_CREATED if created else status.HTTP_200_OK
        )
