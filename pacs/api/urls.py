"""Addresses of the archive under /api/."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from pacs.api.nodes import NodeViewSet
from pacs.api.quarantine import QuarantineViewSet
from pacs.api.studies import StudyViewSet
from pacs.api.uploads import Uploads
from pacs.orders.api import OrdersView

router = SimpleRouter()
router.register("studies", StudyViewSet, basename="studies")
router.register("quarantine", QuarantineViewSet, basename="quarantine")
router.register("nodes", NodeViewSet, basename="nodes")

urlpatterns = [
    path("uploads/", Uploads.as_view(), name="uploads"),
    path("orders/", OrdersView.as_view(), name="orders"),
    path("", include(router.urls)),
]
