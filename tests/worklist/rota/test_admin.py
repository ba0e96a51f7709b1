"""The calendar in the admin site is read, not changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from foundation.accounts.models import User
from worklist.rota.models import Duty, Membership, ReadingGroup, Shift

pytestmark = pytest.mark.django_db


def test_the_admin_site_shows_groups_and_shifts_and_changes_neither(admin_client):
    start = datetime(2026, 11, 25, 8, tzinfo=UTC)
    reader = User.objects.create(username="reader", display_name="Synthetic Reader")
    group = ReadingGroup.objects.create(name="Neuro", modalities=["CT"])
    Membership.objects.create(group=group, user=reader)
    shift = Shift.objects.create(
        user=reader, group=group, duty=Duty.READING, starts_at=start, ends_at=start + timedelta(hours=8)
    )
    for name, pk, shown in (("readinggroup", group.pk, "Synthetic Reader"), ("shift", shift.pk, "Neuro")):
        assert admin_client.get(f"/admin/rota/{name}/").status_code == 200
        page = admin_client.get(f"/admin/rota/{name}/{pk}/change/")
        assert page.status_code == 200
        assert shown in page.content.decode()
        assert admin_client.post(f"/admin/rota/{name}/{pk}/change/", {"note": "x"}).status_code == 403
        assert admin_client.get(f"/admin/rota/{name}/add/").status_code == 403
        assert admin_client.post(f"/admin/rota/{name}/{pk}/delete/").status_code == 403
