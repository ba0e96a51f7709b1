"""What is hidden from whom. Every door to AI's answers asks here.

Only readers are ever blinded. AI comes back to everybody with the signature: until then a study is hidden
from a reader in the mode "AI hidden", and in "AI after first look" until that reader has committed theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from foundation.accounts.models import Role, User
from pacs.models import Instance, Study
from worklist.reading.models import Look, Mode, ReadingMode

# As triage/filing.py names itself to the archive.
AI_SOURCE = "triage"


def mode_of(user: User) -> Mode:
    """The reader's own mode, or the site's; whoever does not read sees AI."""
    if not user.has_role(Role.RADIOLOGIST):
        return Mode.VISIBLE
    rows = ReadingMode.objects.filter(Q(user=user) | Q(user__isnull=True))
    # The site's row has no reader: after it comes the reader's own.
    modes = [row.mode for row in sorted(rows, key=lambda row: row.user_id is not None)]
    return Mode(modes[-1]) if modes else Mode.VISIBLE


def hidden_studies(user: User, mode: Mode | None = None) -> QuerySet[Study] | None:
    """Studies whose AI results `user` must not see now; None when there are none.

    Args:
        mode: the reader's, where it is known already.
    """
    mode = mode or mode_of(user)
    if mode == Mode.VISIBLE:
        return None
    unsigned = Study.objects.filter(report__signed_at__isnull=True).order_by()
    if mode == Mode.HIDDEN:
        return unsigned
    looked = Look.objects.filter(study=OuterRef("pk"), user=user, first_look_at__isnull=False)
    return unsigned.filter(~Exists(looked))


@dataclass(frozen=True)
class Blindness:
    """What one reader must not see of some studies.

    Attributes:
        mode: the reader's.
        studies: ids of the studies whose AI results are hidden.
    """

    mode: Mode
    studies: frozenset[int]

    def of(self, study_id: int) -> str:
        """The mode that hides AI on this study; empty when it is shown."""
        return self.mode.value if study_id in self.studies else ""


def blindness(user: User, study_ids: Iterable[int]) -> Blindness:
    """What is hidden from `user` of these studies; two queries at most."""
    mode = mode_of(user)
    hidden = hidden_studies(user, mode)
    found = () if hidden is None else hidden.filter(pk__in=set(study_ids)).values_list("pk", flat=True)
    return Blindness(mode=mode, studies=frozenset(found))


def is_hidden(user: User, study_id: int) -> bool:
    """True while AI's results on this study are hidden from `user`."""
    return bool(blindness(user, [study_id]).of(study_id))


def withheld_series(user: User) -> Q | None:
    """A condition on series that hold AI's results and are hidden from `user`; None when none are."""
    hidden = hidden_studies(user)
    if hidden is None:
        return None
    made_by_ai = Instance.objects.filter(series=OuterRef("pk"), source=AI_SOURCE)
    return Q(derived=True) & Q(study__in=hidden.values("pk")) & Q(Exists(made_by_ai))


def look_of(user: User, study: Study) -> Look | None:
    """The reader's looks at a study, once they opened it."""
    return Look.objects.filter(user=user, study=study).first()


def looks() -> QuerySet[Look]:
    """Every reader's looks, the latest first: for those who judge how AI is read."""
    return Look.objects.select_related("study__patient", "user").defer("study__attributes").order_by("-pk")
