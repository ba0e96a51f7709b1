"""The index: rows for a batch of prepared files, all in one transaction.

Locks are taken on studies in the order of their UIDs, so that two receivers do not deadlock. Whatever
two processes insert at once, a unique constraint decides, and the loser runs again and sees the row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from foundation import events
from foundation.audit import services as audit
from pacs import storage
from pacs.models import Instance, Patient, Series, Study, StudyState
from pacs.orders.services import link_waiting_order
from pacs.services import quarantine, rows, statuses
from pacs.services.canonical import same_content
from pacs.services.objects import Association, Outcome, StoreResult
from pacs.services.prepare import Prepared, Reason, Rejected
from pacs.states import STUDY


@dataclass
class _Change:
    """What a batch adds to one study."""

    study: Study
    created: bool
    stored: int = 0
    original: int = 0
    series_created: int = 0
    modalities: set[str] = field(default_factory=set)
    associations: list[Association] = field(default_factory=list)
    sources: list[Prepared] = field(default_factory=list)


@dataclass(frozen=True)
class _Known:
    sha256: str
    transfer_syntax_uid: str
    path: Path


class Filing:
    """Files one batch. Use once, inside a transaction.

    Attributes:
        moves: (file in incoming/, storage key) of everything that gets a permanent place.
        spare: files in incoming/ that are duplicates, to remove after commit.
        joined: associations that are counted in a study by this batch, to remember after commit.
        results: one for each object, true once committed.
        settled: all files have their permanent names; only COMMIT is left.
    """

    def __init__(self, batch: Sequence[Prepared | Rejected]) -> None:
        self.batch = batch
        self.now: datetime = timezone.now()
        self.moves: list[tuple[Path, str]] = []
        self.spare: list[Path] = []
        self.joined: list[tuple[Association, int]] = []
        self.results: list[StoreResult] = []
        self.settled = False
        self._instances: list[Instance] = []
        self._changes: dict[str, _Change] = {}
        self._series: dict[str, Series] = {}
        self._patients: dict[tuple[str, str], Patient] = {}
        self._series_added: dict[str, int] = defaultdict(int)
        self._known: dict[str, _Known] = {}

    def run(self) -> None:
        """Insert and update all rows, then move the files; the caller commits."""
        prepared = [item for item in self.batch if isinstance(item, Prepared)]
        self._load(prepared)
        self.results = [
            self._file(item) if isinstance(item, Prepared) else self._quarantine(item) for item in self.batch
        ]
        Instance.objects.bulk_create(self._instances)
        for uid, count in self._series_added.items():
            rows.add_to_series(self._series[uid], count)
        for uid in sorted(self._changes):
            self._finish(self._changes[uid])
        storage.settle(self.moves)
        self.settled = True

    def _load(self, prepared: list[Prepared]) -> None:
        study_uids = {item.header.study_instance_uid for item in prepared}
        locked = Study.objects.select_for_update(of=("self",)).select_related("patient")
        for study in locked.filter(study_instance_uid__in=study_uids).order_by("study_instance_uid"):
            self._changes[study.study_instance_uid] = _Change(study, created=False)
        series_uids = {item.header.series_instance_uid for item in prepared}
        for series in Series.objects.filter(series_instance_uid__in=series_uids):
            self._series[series.series_instance_uid] = series
        sop_uids = {item.header.sop_instance_uid for item in prepared}
        for row in Instance.objects.filter(sop_instance_uid__in=sop_uids).only(
            "sop_instance_uid", "sha256", "transfer_syntax_uid", "storage_key"
        ):
            self._known[row.sop_instance_uid] = _Known(
                row.sha256, row.transfer_syntax_uid, storage.path_of(row)
            )

    def _file(self, item: Prepared) -> StoreResult:
        header = item.header
        known = self._known.get(header.sop_instance_uid)
        if known is not None:
            return self._file_again(item, known)
        change = self._changes.get(header.study_instance_uid)
        if change is not None and not rows.is_same_patient(change.study.patient, header):
            return self._conflict(
                item,
                Reason.PATIENT_CONFLICT,
                "Its study is known under another Patient ID. Correct one of the two, then release it.",
                statuses.PATIENT_CONFLICT,
            )
        series = self._series.get(header.series_instance_uid)
        if series is not None and (change is None or series.study_id != change.study.pk):
            return self._conflict(
                item,
                Reason.PATIENT_CONFLICT,
                "Its series is known in another study. Correct one of the two, then release it.",
                statuses.PATIENT_CONFLICT,
            )
        if change is None:
            study = rows.create_study(rows.patient_for(header, self._patients), header, item.source, self.now)
            change = self._changes[header.study_instance_uid] = _Change(study, created=True)
            link_waiting_order(study=study)
        if series is None:
            series = rows.create_series(change.study, header, derived=item.derived)
            self._series[header.series_instance_uid] = series
            change.series_created += 1
        key = storage.new_key(storage.OBJECTS, self.now)
        self._instances.append(rows.new_instance(series, item, key, self.now))
        self.moves.append((item.path, key))
        self._known[header.sop_instance_uid] = _Known(item.sha256, header.transfer_syntax_uid, item.path)
        self._series_added[header.series_instance_uid] += 1
        change.stored += 1
        change.original += not series.derived
        change.modalities.add(series.modality)
        change.sources.append(item)
        self._join(item.source.association, change)
        return self._result(item, Outcome.STORED, statuses.SUCCESS, study_id=change.study.pk)

    def _file_again(self, item: Prepared, known: _Known) -> StoreResult:
        same = known.sha256 == item.sha256 and known.transfer_syntax_uid == item.header.transfer_syntax_uid
        if same or same_content(
            item.path, item.header.transfer_syntax_uid, known.path, known.transfer_syntax_uid
        ):
            self.spare.append(item.path)
            change = self._changes.get(item.header.study_instance_uid)
            return self._result(
                item,
                Outcome.DUPLICATE,
                statuses.SUCCESS,
                study_id=change.study.pk if change else None,
                reason="duplicate",
                detail="It was here already.",
            )
        return self._conflict(
            item,
            Reason.UID_CONFLICT,
            "An instance with the same UID and other content is stored; that one is kept.",
            statuses.UID_CONFLICT,
        )

    def _join(self, association: Association | None, change: _Change) -> None:
        """Count an association as open in a study it brings for the first time."""
        if association is None or change.study.pk in association.study_ids:
            return
        if all(association is not other for other in change.associations):
            change.associations.append(association)
            self.joined.append((association, change.study.pk))

    def _conflict(self, item: Prepared, reason: Reason, detail: str, dimse_status: int) -> StoreResult:
        return self._quarantine(
            Rejected(
                path=item.path,
                reason=reason,
                detail=detail,
                dimse_status=dimse_status,
                sha256=item.sha256,
                size=item.size,
                source=item.source,
                name=item.name,
                sop_class_uid=item.header.sop_class_uid,
                sop_instance_uid=item.header.sop_instance_uid,
                study_instance_uid=item.header.study_instance_uid,
            )
        )

    def _quarantine(self, item: Rejected) -> StoreResult:
        key = quarantine.keep(item, self.now)
        if key is None:
            self.spare.append(item.path)
        else:
            self.moves.append((item.path, key))
        return StoreResult(
            outcome=Outcome.QUARANTINED,
            dimse_status=item.dimse_status,
            name=item.name,
            sop_class_uid=item.sop_class_uid,
            sop_instance_uid=item.sop_instance_uid,
            study_instance_uid=item.study_instance_uid,
            reason=str(item.reason.value),
            detail=item.detail,
        )

    def _finish(self, change: _Change) -> None:
        """Counters, timers, state, news and audit of one study."""
        if change.stored == 0:
            return
        study = change.study
        if change.original and study.state == StudyState.COMPLETE:
            STUDY.apply(study, "reopen", completed_at=None, receiving_since=self.now)
        rows.add_to_study(
            study,
            stored=change.stored,
            original=change.original,
            series_created=change.series_created,
            modalities=change.modalities,
            associations=len(change.associations),
            now=self.now,
        )
        event = events.StudyReceived if change.created else events.InstancesStored
        events.publish(event(study_id=study.pk))
        self._audit(change)

    def _audit(self, change: _Change) -> None:
        """One event per study and batch; of a DICOM association, one when it begins and one at its end."""
        told: set[str] = set()
        for item in change.sources:
            source, association = item.source, item.source.association
            key = association.key if association else source.label
            if key in told or (association and change.study.pk in association.study_ids):
                continue
            told.add(key)
            audit.record(
                audit.Kind.INSTANCES_TRANSFERRED
                if source.channel in {"dimse", "dicomweb"}
                else audit.Kind.IMPORT,
                action="C",
                user=source.user,
                channel=source.channel,
                peer=source.peer or source.label,
                study_instance_uid=change.study.study_instance_uid,
                patient_id=change.study.patient.patient_id,
                detail={"source": source.label, "association": association.key, "phase": "begin"}
                if association
                else {"source": source.label, "instances": change.stored},
            )

    def _result(
        self,
        item: Prepared,
        outcome: Outcome,
        dimse_status: int,
        *,
        study_id: int | None,
        reason: str = "",
        detail: str = "",
    ) -> StoreResult:
        return StoreResult(
            outcome=outcome,
            dimse_status=dimse_status,
            name=item.name,
            sop_class_uid=item.header.sop_class_uid,
            sop_instance_uid=item.header.sop_instance_uid,
            series_instance_uid=item.header.series_instance_uid,
            study_instance_uid=item.header.study_instance_uid,
            study_id=study_id,
            reason=reason,
            detail=detail,
        )
