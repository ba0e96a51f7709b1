"""Real series through the real archive, the real bundle and back: nothing stands in for anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pydicom
import pytest

from pacs import storage
from pacs.models import Instance, Study, StudyState
from pacs.services import IncomingInstance, Source, store_instances
from pacs.services.datasets import encode
from pacs.synthetic.studies import make_study
from triage import planning, registry, tasks
from triage.models import Finding, Outcome, RunState
from triage.selectors import ai_state_of, findings_of

pytestmark = pytest.mark.django_db(transaction=True)
DCIODVFY = Path(sys.executable).parent / "dciodvfy"


def store(datasets: list[pydicom.Dataset]) -> Study:
    """Into the archive as a node would send it, and complete."""
    results = store_instances(
        [IncomingInstance(data=encode(dataset)) for dataset in datasets], source=Source("TEST", "system")
    )
    assert {result.outcome for result in results} == {"stored"}, results
    study = Study.objects.get(study_instance_uid=datasets[0].StudyInstanceUID)
    if study.state != StudyState.COMPLETE:
        study.state, study.completed_at = StudyState.COMPLETE, study.last_instance_at
        study.save(update_fields=["state", "completed_at"])
    return study


def dicom_faults(sop_instance_uid: str) -> list[str]:
    """What dciodvfy calls an error in a stored instance."""
    path = storage.path_of(Instance.objects.get(sop_instance_uid=sop_instance_uid))
    done = subprocess.run([str(DCIODVFY), str(path)], capture_output=True, text=True, check=False)
    assert done.stdout or done.stderr, "dciodvfy said nothing"
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]


@pytest.mark.needs_shared_data
def test_the_real_head_ct_is_analysed_without_a_flag_and_its_sr_stored(shared_data: Path) -> None:
    registry.ensure_shipped()
    study = store([pydicom.dcmread(path) for path in sorted((shared_data / "head_ct_ge").glob("*.dcm"))])
    (run,) = planning.plan_runs(study_id=study.pk)
    assert run.state == RunState.WAITING and len(run.input_instance_uids) == 28
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason) == (RunState.DONE, "")
    assert run.outcome == Outcome.NEGATIVE
    assert run.weights_sha256 == run.model.weights_sha256
    steps = {"load", "read", "resample", "guard", "predict", "extract", "measure", "compare", "objects"}
    assert set(run.timings) == steps
    assert run.seg_sop_instance_uid == ""
    assert dicom_faults(run.sr_sop_instance_uid) == []
    study.refresh_from_db()
    assert study.state == StudyState.COMPLETE
    (finding,) = findings_of(study)
    assert finding.presence == Finding.Presence.ABSENT
    assert ai_state_of(study) == ("done", "")


def test_a_synthetic_bleed_is_found_on_its_slices_with_seg_and_sr() -> None:
    registry.ensure_shipped()
    made = make_study(5, "intraparenchymal", 40.0, matrix=256, localizer=True)
    study = store(made.datasets)
    (run,) = planning.plan_runs(study_id=study.pk)
    tasks.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.reason, run.outcome) == (RunState.DONE, "", Outcome.POSITIVE)
    assert dicom_faults(run.seg_sop_instance_uid) == [] and dicom_faults(run.sr_sop_instance_uid) == []
    (finding,) = findings_of(study)
    axial = [d for d in made.datasets if "LOCALIZER" not in d.ImageType]
    with_blood = {str(axial[i].SOPInstanceUID) for i in made.mask.any(axis=(1, 2)).nonzero()[0]}
    assert finding.key_sop_instance_uid in with_blood
    seg = pydicom.dcmread(storage.path_of(Instance.objects.get(sop_instance_uid=run.seg_sop_instance_uid)))
    referenced = {
        str(frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID)
        for frame in seg.PerFrameFunctionalGroupsSequence
    }
    assert len(referenced & with_blood) >= 0.7 * len(with_blood)
