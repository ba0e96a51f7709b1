"""Every kind of structured report that leaves the house, before David Clunie's PixelMed validator.

It checks templates (PS3.16), which dciodvfy does not.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from tests.triage.making import datasets_of, make_stack, write
from tests.triage.test_results import ABSENT, STATEMENT, drawn_on, make_sr
from tests.worklist.reports.test_sr import EVIDENCE, header, signed
from triage.inference.slices import read_stack
from triage.results.headers import read_headers
from triage.results.seg import make_seg
from worklist.reading.geometry import Kind, Spacing, measure
from worklist.reading.objects import Drawn, key_object, measurement_report
from worklist.reports import sr

JARS = Path("/usr/share/java")
INSTALL = "apt-get install default-jre-headless libpixelmed-java"
# Its style sheets are larger than what the JDK takes from strangers; these are not from strangers.
LIMITS = ("-Djdk.xml.xpathExprOpLimit=0", "-Djdk.xml.xpathTotalOpLimit=0", "-Djdk.xml.xpathExprGrpLimit=0")
LATEST = replace(
    STATEMENT,
    midline_shift_mm=-4.2,
    midline_shift_uncertainty_mm=0.7,
    comparison="grown",
    growth_ml=3.1,
    probability_method="logistic on log volume and peak",
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def of_a_finding(folder: Path) -> Dataset:
    """With everything that a finding may carry, on its Segmentation."""
    stack = make_stack(
        centre=np.array([6.0, -9.0, 11.0]),
        radius_mm=9.0,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        depths_mm=np.arange(-20.0, 30.0, 4.0),
        thickness_mm=4.0,
        size=32,
        pixel_mm=2.0,
    )
    paths = write(datasets_of(stack), folder)
    read, headers = read_stack(paths), read_headers(paths)
    return make_sr(LATEST, headers, make_seg([(LATEST, drawn_on(read))], read.sources, headers))


def of_nothing_found(folder: Path) -> Dataset:
    stack = make_stack(
        centre=np.zeros(3),
        radius_mm=9.0,
        row_direction=np.array([1.0, 0, 0]),
        column_direction=np.array([0, 1.0, 0]),
        depths_mm=np.arange(-8.0, 12.0, 4.0),
        thickness_mm=4.0,
        size=32,
        pixel_mm=2.0,
    )
    return make_sr(ABSENT, read_headers(write(datasets_of(stack), folder)), None)


def of_a_signed_report(folder: Path) -> Dataset:
    return sr.build(header(), signed(), evidence=EVIDENCE, predecessors=[])


def of_a_measurement(folder: Path) -> Dataset:
    """An ellipse with its area and densities: the one with most measurements."""
    axes = [(20.0, 20.0), (60.0, 20.0), (40.0, 10.0), (40.0, 30.0)]
    values = measure(Kind.ELLIPSE, axes, Spacing(0.5, 0.5), np.ones((64, 64)))
    drawn = Drawn(Kind.ELLIPSE, axes, values)
    return measurement_report(drawn, ct_header(), reader="Reader^Ada", tracking_uid=generate_uid())


def of_a_key_image(folder: Path) -> Dataset:
    return key_object(ct_header(), frame=None, reader="Reader^Ada", description="Level of the ventricles")


def ct_header() -> Dataset:
    return read_headers([Path(str(get_testdata_file("CT_small.dcm")))])[0]


@pytest.mark.parametrize(
    "document", [of_a_finding, of_nothing_found, of_a_signed_report, of_a_measurement, of_a_key_image]
)
def test_pixelmed_finds_no_error(document: Callable[[Path], Dataset], tmp_path: Path) -> None:
    java, jar = shutil.which("java"), JARS / "pixelmed.jar"
    assert java and jar.exists(), f"PixelMed's validator is missing: {INSTALL}"
    path = tmp_path / "document.dcm"
    document(tmp_path).save_as(path, enforce_file_format=True)
    command = [java, *LIMITS, "-cp", f"{jar}:{JARS}/*", "com.pixelmed.validate.DicomSRValidator", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stdout + done.stderr).splitlines()
    assert "IOD validation complete" in said, done.stdout + done.stderr
    assert [line for line in said if line.startswith("Error")] == []
