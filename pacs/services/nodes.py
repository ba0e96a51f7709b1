"""Remote nodes: are they there?"""

from __future__ import annotations

from django.conf import settings
from django.utils import timezone

from foundation.accounts.models import User
from foundation.audit import services as audit
from pacs.dimse import scu
from pacs.models import RemoteNode


def echo_node(*, node: RemoteNode, user: User | None = None, channel: str = "page") -> tuple[bool, str]:
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
    node.last_echo_at, node.last_echo_ok = timezone.now(), answered
    node.save(update_fields=["last_echo_at", "last_echo_ok"])
    audit.record(
        audit.Kind.APPLICATION_ACTIVITY,
        action="E",
        outcome=0 if answered else 4,
        user=user,
        channel=channel,
        peer=f"{node.ae_title}@{node.host}:{node.port}",
        detail={"what": "C-ECHO", "node": node.name},
    )
    return answered, told
