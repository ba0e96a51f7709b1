"""`/api/simulations/`: what would this order of the list do in such a department?"""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from foundation.accounts.models import Role, User
from foundation.accounts.permissions import caller, has_role
from foundation.problems import Problem
from worklist.api import shapes, simulation_shapes
from worklist.api.bodies import valid
from worklist.api.documents import person
from worklist.simulation import services
from worklist.simulation.documents import defaults
from worklist.simulation.models import Simulation
from worklist.simulation.observed import parameters_from_log


class SimulationViewSet(GenericViewSet[Simulation]):
    """Simulations that anybody of the department asked for. They hold no patient data."""

    permission_classes = [has_role(Role.RADIOLOGIST, Role.QA_REVIEWER, Role.PACS_ADMINISTRATOR)]
    serializer_class = simulation_shapes.Simulation
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Simulation.objects.none()
    filter_backends: list[Any] = []

    def get_queryset(self) -> Any:
        return Simulation.objects.select_related("requested_by").order_by("-pk")

    @extend_schema(responses=simulation_shapes.SimulationSummary(many=True))
    def list(self, request: Request) -> Response:
        """The newest first, without results."""
        page = self.paginate_queryset(self.get_queryset().defer("result"))
        assert page is not None
        return self.get_paginated_response([_summary(one, caller(request)) for one in page])

    @extend_schema(responses=simulation_shapes.Simulation)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One simulation; its result when it is done."""
        simulation = get_object_or_404(self.get_queryset(), pk=pk)
        return Response(_document(simulation, caller(request)))

    @extend_schema(
        request=simulation_shapes.NewSimulation,
        responses={201: simulation_shapes.Simulation, 400: shapes.Problem, 409: shapes.Problem},
    )
    def create(self, request: Request) -> Response:
        """Ask for a simulation; a worker plays it, and this address tells how far it is."""
        said = valid(simulation_shapes.NewSimulation, request)
        try:
            simulation = services.request_simulation(
                name=said["name"],
                parameters=said["parameters"],
                by=caller(request),
                request=request._request,
            )
        except services.TooMany as error:
            raise Problem(409, "Too many at once", str(error)) from None
        except ValueError as error:
            raise Problem(400, "Such a department cannot be", str(error)) from None
        return Response(_document(simulation, caller(request)), status=201)

    @extend_schema(
        responses=simulation_shapes.SimulationDefaults,
        parameters=[
            OpenApiParameter(
                "from_log", bool, description="Figures of this site's last 30 days, where there are enough."
            )
        ],
    )
    @action(detail=False, methods=["get"])
    def defaults(self, request: Request) -> Response:
        """Parameters to begin with: synthetic, or as the site's own log has them."""
        if request.query_params.get("from_log", "").lower() in ("true", "1"):
            parameters, notes = parameters_from_log(timezone.now())
        else:
            parameters, notes = defaults(), []
        return Response({"parameters": parameters, "notes": notes})


def _summary(simulation: Simulation, user: User) -> dict[str, Any]:
    return {
        "id": str(simulation.pk),
        "name": simulation.name,
        "state": simulation.state,
        "progress": simulation.progress,
        "error": simulation.error,
        "parameters": simulation.parameters,
        "requested_by": person(simulation.requested_by),
        "mine": simulation.requested_by_id == user.pk,
        "created_at": simulation.created_at,
        "finished_at": simulation.finished_at,
    }


def _document(simulation: Simulation, user: User) -> dict[str, Any]:
    return _summary(simulation, user) | {"result": simulation.result}
