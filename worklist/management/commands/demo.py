"""`manage.py demo`: a simulated department sends synthetic head CTs, or writes them to a folder."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydicom.dataset import Dataset

from foundation.accounts.models import Role, User
from foundation.accounts.services import create_user, issue_token
from pacs.dimse import scu
from pacs.synthetic.chest import CHEST_LESIONS
from pacs.synthetic.chest_studies import write_chest_studies
from pacs.synthetic.datasets import SyntheticOrder
from pacs.synthetic.evaluation_set import write_evaluation_set
from pacs.synthetic.lesions import LESION_KINDS
from pacs.synthetic.studies import make_study, write_studies
from worklist.operations import duty_roster
from worklist.operations.addresses import reachable
from worklist.operations.department import Case, cases

SENDER_AE_TITLE = "SYNTHETIC_CT"
SERVICE_ACCOUNT = "demo-department"


def _volume(text: str) -> float:
    value = float(text)
    if not 0.5 <= value <= 150:
        raise ArgumentTypeError("the volume must lie between 0.5 and 150 mL")
    return value


class Command(BaseCommand):
    help = "Send a simulated department's head CTs to the running system, or --write studies to a folder."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--count", type=int, default=12, help="how many studies (12)")
        parser.add_argument("--pace", type=float, help="seconds between studies instead of the demo's own")
        parser.add_argument("--write", type=Path, metavar="DIR", help="write studies to DIR and send nothing")
        parser.add_argument(
            "--evaluation-set",
            action="store_true",
            help="with --write: half with a bleed, of all kinds and sizes, on several scanners, with masks",
        )
        parser.add_argument(
            "--chest", action="store_true", help="with --write: chest radiographs (DX) instead of head CTs"
        )
        parser.add_argument(
            "--lesion",
            choices=[*LESION_KINDS, *CHEST_LESIONS, "any", "none"],
            default="none",
            help="with --write; the last two kinds with --chest",
        )
        parser.add_argument("--volume-ml", type=_volume, default=20.0, help="with --write: volume in mL (20)")
        parser.add_argument("--seed", type=int, default=1, help="with --write: the same seed, the same study")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["count"] < 1:
            raise CommandError("--count must be at least 1.")
        if options["evaluation_set"]:
            self._write_set(options)
            return
        if options["chest"] and not options["write"]:
            raise CommandError("--chest writes studies: say where with --write DIR.")
        if options["write"]:
            allowed = {*(CHEST_LESIONS if options["chest"] else LESION_KINDS), "any", "none"}
            if options["lesion"] not in allowed:
                raise CommandError(f"--lesion must be one of {', '.join(sorted(allowed))} here.")
            lesion = None if options["lesion"] == "none" else options["lesion"]
            if options["chest"]:
                write_chest_studies(options["write"], options["count"], lesion, options["seed"], lateral=True)
            else:
                write_studies(
                    options["write"], options["count"], lesion, options["volume_ml"], options["seed"]
                )
            self.stdout.write(f"{options['count']} synthetic studies written to {options['write']}")
            return
        roster = duty_roster.plan()
        if roster.shifts:
            self.stdout.write(f"{roster.groups} groups and {roster.shifts} shifts planned: see the page Rota")
        self._token = self._service_token()
        self._began = timezone.now()
        for case in cases(options["count"], options["pace"]):
            time.sleep(case.pause_s)
            self._send(case)

    def _write_set(self, options: dict[str, Any]) -> None:
        if not options["write"]:
            raise CommandError("--evaluation-set needs --write DIR.")
        written = write_evaluation_set(options["write"], options["count"], options["seed"])
        for number, folder in enumerate(written, start=1):
            self.stdout.write(f"{number} of {options['count']}: {folder}")
            self.stdout.flush()
        self.stdout.write(f"Measure a model on it: manage.py evaluate MODEL {options['write']}")

    def _service_token(self) -> str:
        user = User.objects.filter(username=SERVICE_ACCOUNT).first()
        if user is None:
            user = create_user(
                username=SERVICE_ACCOUNT,
                password=None,
                roles=[Role.SERVICE],
                display_name="Demo department",
            )
        return issue_token(user=user)

    def _send(self, case: Case) -> None:
        """Order first, as in a hospital, then the images by C-STORE."""
        study = make_study(
            seed=case.number,
            lesion=case.lesion,
            volume_ml=case.volume_ml,
            order=SyntheticOrder(accession_number=case.accession_number(self._began)),
            acquired_at=timezone.now(),
        )
        first = study.datasets[0]
        self._order(case, first)
        sent = scu.send(
            study.datasets,
            reachable(settings.DICOM_HOST),
            settings.DICOM_PORT,
            called_aet=settings.AE_TITLE,
            calling_aet=SENDER_AE_TITLE,
        )
        self.stdout.write(
            f"{first.AccessionNumber}: {len(sent.stored)} instances stored in {sent.seconds:.1f} s"
            + (f", {len(sent.failed)} refused" if sent.failed else "")
        )
        self.stdout.flush()

    def _order(self, case: Case, first: Dataset) -> None:
        document = {
            "accession_number": str(first.AccessionNumber),
            "patient_id": str(first.PatientID),
            "issuer_of_patient_id": str(first.get("IssuerOfPatientID", "")),
            "patient_name": str(first.PatientName),
            "study_instance_uid": str(first.StudyInstanceUID),
            "priority": case.priority,
            "location_class": case.location_class,
            "location": case.location,
            "department": case.department,
            "reason_for_exam": case.reason,
            "procedure": "CT head without contrast",
            "modality": "CT",
            "ordered_at": timezone.now().isoformat(),
        }
        host = reachable(settings.HTTP_HOST)
        request = urllib.request.Request(
            f"http://{host}:{settings.HTTP_PORT}/api/orders/",
            data=json.dumps(document).encode(),
            headers={"Authorization": f"Token {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            raise CommandError(
                f"The order was refused ({error.code}): {error.read().decode()[:500]}"
            ) from error
        except OSError as error:
            raise CommandError(
                f"Firstread does not answer on port {settings.HTTP_PORT}. Start it with ./run."
            ) from error
