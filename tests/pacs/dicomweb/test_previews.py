"""Rendered frames and thumbnails."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi, apply_windowing

from pacs.dicomweb.windowing import FUNCTIONS, Window, default_grey, windowed
from tests.pacs.conftest import make_dataset, make_study
from tests.pacs.dicomweb.conftest import address, body_of, pydicom_file


def picture(response):
    assert response.status_code == 200, response.content
    return np.asarray(Image.open(io.BytesIO(body_of(response))))


@pytest.mark.needs_shared_data
def test_the_middle_of_a_real_head_ct_shows_a_head_in_a_brain_window(real_ct, stored, ask):
    rows = stored(*real_ct)
    study = rows[0].series.study.study_instance_uid
    image = picture(
        ask(f"/studies/{study}/thumbnail", accept="image/png", window="40,80", viewport="512,512")
    )
    assert image.shape == (512, 512)
    centre, corner = image[192:320, 192:320], image[:24, :24]
    assert corner.max() == 0
    assert 60 < centre.mean() < 160  # brain at 20 to 45 HU in a window from 0 to 80
    assert 0.05 < (image == 255).mean() < 0.35  # the skull, a ring


@pytest.mark.needs_shared_data
def test_the_thumbnail_is_the_slice_in_the_middle_by_position_not_by_number(real_ct, stored, ask):
    from pacs.dicomweb.representative import middle_of, positions
    from pacs.selectors import metadata_of

    rows = stored(*real_ct)
    series = max({row.series for row in rows}, key=lambda s: s.instances.count())
    chosen, index = middle_of(series)
    members = list(series.instances.all())
    places = positions([metadata_of(row) for row in members])
    mine = positions([metadata_of(members[0]), metadata_of(chosen)])[1]
    assert index == 0
    assert sum(place < mine for place in places) == len(members) // 2


def test_a_window_maps_the_values_it_names_to_black_grey_and_white(stored, ask):
    values = np.zeros((16, 16), "<i2")
    values[0, :4] = [0, 40, 80, 1000]
    (instance,) = stored(make_dataset(PixelRepresentation=1, PixelData=(values + 1024).tobytes(), RescaleSlope=1,
                                      RescaleIntercept=-1024))  # fmt: skip
    image = picture(ask(address(instance, "/rendered"), accept="image/png", window="40,80"))
    assert image[0, 0] <= 2 and abs(int(image[0, 1]) - 128) <= 2 and image[0, 2] >= 254 and image[0, 3] == 255


def test_inverse_grey_is_shown_as_a_radiologist_expects(stored, ask):
    values = np.arange(256, dtype="<u2")
    (normal, inverse) = stored(
        make_dataset(PixelData=values.tobytes()),
        make_dataset(PixelData=values.tobytes(), PhotometricInterpretation="MONOCHROME1"),
    )
    first = picture(ask(address(normal, "/rendered"), accept="image/png", window="128,256"))
    second = picture(ask(address(inverse, "/rendered"), accept="image/png", window="128,256"))
    assert np.array_equal(first, 255 - second)
    assert first[0, 0] < first[15, 15]


def test_each_frame_is_rendered_by_its_own_address(stored, ask):
    pixels = np.repeat(np.array([0, 50, 100], "<u2"), 256)
    (instance,) = stored(make_dataset(NumberOfFrames="3", PixelData=pixels.tobytes()))
    means = [
        picture(ask(address(instance, f"/frames/{n}/rendered"), accept="image/png", window="50,101")).mean()
        for n in (1, 2, 3)
    ]
    assert means == sorted(means) and means[0] < 5 and means[2] > 250
    assert ask(address(instance, "/frames/4/rendered")).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_rle.dcm", "SC_ybr_full_422_uncompressed.dcm", "SC_rgb_dcmtk_+eb+cy+np.dcm",
     "SC_rgb_rle_16bit.dcm"],
)  # fmt: skip
def test_colours_come_out_as_colours(name, stored, ask):
    (instance,) = stored(pydicom_file(name))
    image = picture(ask(address(instance, "/rendered"), accept="image/png"))
    assert image.shape == (100, 100, 3)
    assert (np.abs(image[5, 50].astype(int) - [255, 0, 0]) < 12).all()  # the test pattern begins with red


@pytest.mark.parametrize(
    "name", ["examples_palette.dcm", "JPEG2000.dcm", "JPEGLSNearLossless_16.dcm", "MR_small_bigendian.dcm",
             "rtdose.dcm", "examples_ybr_color.dcm", "liver_1frame.dcm", "JPGExtended.dcm"]
)  # fmt: skip
def test_whatever_can_be_stored_can_be_shown(name, stored, ask):
    (instance,) = stored(pydicom_file(name))
    image = picture(ask(address(instance, "/rendered")))
    assert image.shape[:2] == (instance.rows, instance.columns)
    assert image.std() > 1


def test_padding_around_the_image_is_black_and_does_not_set_the_window(stored, ask):
    values = np.full((16, 16), 1000, "<i2")
    values[4:12, 4:12] = np.arange(64).reshape(8, 8) + 1000
    values[0] = -2000
    (instance,) = stored(
        make_dataset(PixelRepresentation=1, PixelData=values.tobytes(), PixelPaddingValue=-2000)
    )
    image = picture(ask(address(instance, "/rendered"), accept="image/png"))
    assert image[0].max() == 0
    assert image[11, 11] > 200


def test_padding_is_black_in_inverse_grey_too(stored, ask):
    values = np.full((16, 16), 40, "<i2")
    values[0] = -2000
    (instance,) = stored(
        make_dataset(
            PixelRepresentation=1, PixelData=values.tobytes(), PixelPaddingValue=-2000,
            PhotometricInterpretation="MONOCHROME1",
        )
    )  # fmt: skip
    image = picture(ask(address(instance, "/rendered"), accept="image/png", window="40,80"))
    assert image[0].max() == 0 and image[1].min() > 100


def test_slices_numbered_against_their_order_are_still_sorted_by_position(stored):
    from pacs.dicomweb.representative import middle_of

    slices = make_study(5, ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    for dataset, height in zip(slices, [0, 40, 10, 30, 20], strict=True):
        dataset.ImagePositionPatient = [-100, -100, height]
    rows = stored(*slices)
    chosen, _ = middle_of(rows[0].series)
    assert chosen.sop_instance_uid == slices[4].SOPInstanceUID


def test_a_viewport_keeps_the_shape_and_cuts_the_region(stored, ask):
    (instance,) = stored(make_dataset(Rows=32, Columns=8))
    assert picture(ask(address(instance, "/rendered"), viewport="64,64")).shape == (64, 16)
    assert picture(ask(address(instance, "/rendered"), viewport="64,64,0,0,8,8")).shape == (64, 64)
    assert picture(ask(address(instance, "/thumbnail"))).shape == (256, 64)


@pytest.mark.parametrize(
    "parameters",
    [{"window": "40"}, {"window": "40,0"}, {"window": "a,b"}, {"window": "nan,80"}, {"window": "40,80,CUBIC"},
     {"viewport": "0,0"}, {"viewport": "99999,99999"}, {"viewport": "10,10,50,50,5,5"}, {"quality": "0"}],
)  # fmt: skip
def test_a_parameter_that_makes_no_sense_is_a_problem_document(parameters, stored, ask):
    (instance,) = stored(make_dataset())
    response = ask(address(instance, "/rendered"), **parameters)
    assert (response.status_code, response["Content-Type"]) == (400, "application/problem+json")


@pytest.mark.parametrize(
    ("accept", "kind"),
    [("", "image/jpeg"), ("image/png", "image/png"), ("image/avif,image/webp,image/*,*/*;q=0.8", "image/jpeg"),
     ("image/jpeg;q=0.5,image/png", "image/png"), ("application/pdf", None)],
)  # fmt: skip
def test_the_picture_comes_in_the_form_the_client_prefers(accept, kind, stored, ask):
    (instance,) = stored(make_dataset())
    response = ask(address(instance, "/rendered"), accept=accept)
    assert (response.status_code, response["Content-Type"]) == (
        (200, kind) if kind else (406, "application/problem+json")
    )


def test_the_study_thumbnail_passes_over_reports_and_masks(stored, ask):
    rows = stored(*make_study(3))
    study = rows[0].series.study.study_instance_uid
    for modality in ("SEG", "SR"):
        for other in make_study(6, StudyInstanceUID=study, Modality=modality):
            stored(other)
    response = ask(f"/studies/{study}/thumbnail")
    assert response["ETag"].startswith(f'"{rows[1].sha256}')
    assert (
        ask(f"/studies/{study}/series/{rows[0].series.series_instance_uid}/thumbnail")["ETag"]
        == response["ETag"]
    )


def test_a_study_without_images_has_no_thumbnail_and_says_so(stored, ask):
    (row,) = stored(pydicom_file("test-SR.dcm"))
    response = ask(f"/studies/{row.series.study.study_instance_uid}/thumbnail")
    assert (response.status_code, json.loads(response.content)["title"]) == (404, "Nothing to show")


@given(center=st.floats(-200, 200), width=st.floats(2, 500), function=st.sampled_from(FUNCTIONS))
def test_windows_agree_with_pydicom(center, width, function):
    dataset = Dataset()
    dataset.BitsStored, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 16, 1, "MONOCHROME2"
    dataset.WindowCenter, dataset.WindowWidth, dataset.VOILUTFunction = (
        f"{center:.6f}",
        f"{width:.6f}",
        function,
    )
    values = np.arange(-600, 600, dtype=np.int16)
    window = Window(float(dataset.WindowCenter), float(dataset.WindowWidth), function)
    reference = apply_windowing(values, dataset)
    low, high = -(2**15), 2**15 - 1
    expected = (reference - low) / (high - low) * 255
    assert np.abs(windowed(values.astype(np.float32), window).astype(float) - expected).max() <= 1.01


def test_a_voi_lut_agrees_with_pydicom():
    item = Dataset()
    item.LUTDescriptor = [8, 10, 12]
    item.add_new("LUTData", "US", [0, 4095, 100, 200, 300, 400, 500, 4000])
    dataset = Dataset()
    dataset.BitsStored, dataset.PixelRepresentation = 16, 0
    dataset.VOILUTSequence = [item]
    values = np.arange(0, 30, dtype=np.uint16).reshape(5, 6)
    expected = apply_voi(values, dataset) / 4095 * 255
    assert np.abs(default_grey(values.astype(np.float32), dataset, None) - expected).max() <= 1
