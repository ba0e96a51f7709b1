"""DICOM peers: are they there? What is known of them is written down here."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.dimse import scu
from pacs.models import RemoteNode


def echo_node(*, node: RemoteNode, user: User, channel: str = "page") -> tuple[bool, str]:
    """C-ECHO a node, keep the answer with it, and say it in a sentence.

    Returns:
        Whether it answered, and what to tell the user.
    """
    try:
        seconds = scu.echo(
            node.host, node.port, called_aet=node.ae_title, calling_aet=settings.AE_TITLE, timeout=3.0
        )
        answered, told = True, f"{node.name} answered in {seconds * 1000:.0f} ms."
    except scu.PeerError as error:
        answered, told = False, str(error)
    record_echo(node=node, ok=answered, user=user, channel=channel)
    return answered, told


def record_echo(*, node: RemoteNode, ok: bool, user: User, channel: str = "api") -> None:
    """Keep when a peer was last asked by C-ECHO, and whether it answered."""
    now = timezone.now()
    with transaction.atomic():
        RemoteNode.objects.filter(pk=node.pk).update(last_echo_at=now, last_echo_ok=ok)
        audit.record(
            audit.Kind.NODE_AUTHENTICATION,
            action="E",
            outcome=0 if ok else 4,
            user=user,
            channel=channel,
            peer=f"{node.ae_title}@{node.host}:{node.port}",
            detail={"what": "C-ECHO", "node": node.pk},
        )
    node.last_echo_at, node.last_echo_ok = now, ok
