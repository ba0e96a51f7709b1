"""A signed report becomes a DICOM SR in the archive, once, also after failures and deaths."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError
from pydicom import dcmread

from pacs.models import Instance, QuarantinedObject, Study
from pacs.services import IncomingInstance, Source, store_instances
from pacs.storage import path_of
from tests.pacs.conftest import encoded, make_dataset
from worklist.reports import documents, services
from worklist.reports.checks import Facts
from worklist.reports.models import Report, ReportVersion

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def signed(tmp_path: Path, settings: Any, make_user: Any) -> Report:
    """A signed report of a study with two images."""
    settings.ARCHIVE_DIR = tmp_path / "archive"
    settings.MINIMUM_FREE_DISK_MB = 1
    first = make_dataset(PatientName="Müller^Jürgen", ReferringPhysicianName="Haus^Arzt")
    second = make_dataset(
        StudyInstanceUID=first.StudyInstanceUID, SeriesInstanceUID=first.SeriesInstanceUID, InstanceNumber=2
    )
    items = [IncomingInstance(data=encoded(one)) for one in (first, second)]
    results = store_instances(items, source=Source(label="test", channel="command"))
    assert {r.outcome for r in results} == {"stored"}
    study, by = Study.objects.get(), make_user("radiologist", display_name="Dr. Ada Reader")
    report = services.open_draft(study=study, by=by)
    report = services.save(
        report_id=report.pk, version=1, texts={"impression": "Keine Blutung. ä ≥ 5 mm"}, by=by
    )
    return services.sign(report_id=report.pk, version=2, overrides=[], facts=Facts(images_opened=True), by=by)


def complaints(path: Path) -> list[str]:
    command = [Path(sys.executable).parent / "dciodvfy", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def test_signature_and_addendum_lie_in_the_archive_as_valid_documents_of_one_series(signed: Report) -> None:
    assert documents.store_missing_report_documents() == 1
    services.add_addendum(report_id=signed.pk, text="Fracture.", by=signed.signed_by)  # type: ignore[arg-type]
    assert documents.store_missing_report_documents() == 1
    assert documents.store_missing_report_documents() == 0
    first, second = ReportVersion.objects.order_by("version")
    signed.refresh_from_db()
    assert signed.sr_sop_instance_uid == second.sr_sop_instance_uid
    stored = [
        Instance.objects.get(sop_instance_uid=version.sr_sop_instance_uid) for version in (first, second)
    ]
    assert stored[0].series == stored[1].series and stored[0].series.derived
    for instance in stored:
        assert complaints(path_of(instance)) == []
    later = dcmread(path_of(stored[1]))
    predecessor = later.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0].ReferencedSOPSequence[0]
    assert predecessor.ReferencedSOPInstanceUID == first.sr_sop_instance_uid
    evidence = later.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence
    assert [len(series.ReferencedSOPSequence) for series in evidence] == [2]
    assert str(later.PatientName) == "Müller^Jürgen" and later.AccessionNumber == "A1"


def test_a_stored_report_does_not_reopen_the_study(signed: Report) -> None:
    before = Study.objects.values_list("state", "completed_at").get()
    documents.store_missing_report_documents()
    assert Study.objects.values_list("state", "completed_at").get() == before


def test_an_archive_that_fails_keeps_nothing_from_being_signed_and_is_asked_again(
    signed: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def broken(*_: Any, **__: Any) -> Any:
            raise DatabaseError("archive is away")

        patch.setattr(documents, "store_derived", broken)
        assert documents.store_missing_report_documents() == 0
    assert documents.store_missing_report_documents() == 0, "tried again in a hurry"
    ReportVersion.objects.update(sr_attempted_at=None)
    assert documents.store_missing_report_documents() == 1
    assert signed.state == "final"


def test_a_death_between_archive_and_report_is_repaired_without_a_second_document(signed: Report) -> None:
    assert documents.store_documents_of(signed.pk) == 1
    ReportVersion.objects.update(sr_sop_instance_uid="", sr_attempted_at=None)
    late = make_dataset(StudyInstanceUID=signed.study.study_instance_uid, SOPInstanceUID="2.25.99")
    store_instances([IncomingInstance(data=encoded(late))], source=Source(label="test", channel="command"))
    assert documents.store_documents_of(signed.pk) == 1
    assert Instance.objects.filter(series__modality="SR").count() == 1
    assert not QuarantinedObject.objects.exists()
