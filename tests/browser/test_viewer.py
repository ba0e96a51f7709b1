"""OHIF in a frame of a page of the same origin, over the real archive: what the reading page relies on."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from highdicom.sr.coding import CodedConcept
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Frame, Page, Request, Response
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from pacs.dimse import scu
from pacs.synthetic.studies import make_study
from tests.house import House, eventually

pytestmark = pytest.mark.browser

OVERLAY_RGB = (20, 220, 60)
HOST = """<!doctype html><title>host</title><body style="margin:0;background:#000">
<iframe title="Images" src="/viewer/viewer?StudyInstanceUIDs={studies}" style="border:0;width:100vw;height:100vh">
</iframe><script>
  window.heard = [];
  addEventListener('message', e => e.data && e.data.source === 'firstread-viewer' && heard.push(e.data));
  window.tell = m => frames[0].postMessage({{source: 'firstread', ...m}}, location.origin);
</script>"""


def outline(images: list[Dataset], mask: NDArray[np.bool_], series: str) -> Dataset:
    """A binary SEG of ``mask`` [slices, rows, columns] over ``images``."""
    segment = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Hemorrhage",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=CodedConcept("50960005", "SCT", "Hemorrhage"),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            "outline of a test", codes.DCM.ArtificialIntelligence, "1"
        ),
        tracking_uid=hd.UID(),
        tracking_id="1",
        display_color=hd.color.CIELabColor.from_rgb(*OVERLAY_RGB),
    )
    return hd.seg.Segmentation(
        source_images=images,
        pixel_array=mask.astype(np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[segment],
        series_instance_uid=series,
        series_number=900,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Firstread",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="0",
        series_description="SYNTHETIC outline",
    )


@dataclass
class Sent:
    """A study in the archive, and what is known about it."""

    study: str
    series: str
    images: list[str]  # SOP Instance UIDs, feet to head
    with_lesion: list[int]
    segmentation: str
    late: Path  # a second SEG, not sent yet
    late_series: str


def send(house: House, *instances: Path | Dataset) -> None:
    """C-STORE; dcmtk's storescu knows no more than 128 kinds of object, and SEG is not among them."""
    scu.send(instances, "127.0.0.1", house.dicom_port, called_aet="FIRSTREAD", calling_aet="MODALITY")


@pytest.fixture(scope="module")
def sent(house: House, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """A tilted synthetic head with a bleed, a localizer and the outline of the bleed, sent by C-STORE."""
    made = make_study(733, "intraparenchymal", 30.0, matrix=256, tilt_deg=14.0, localizer=True)
    axial = [d for d in made.datasets if "LOCALIZER" not in d.ImageType]
    assert len(axial) == len(made.mask) < len(made.datasets)
    first, second = hd.UID(), hd.UID()
    send(house, *made.datasets, outline(axial, made.mask, first))
    late = tmp_path_factory.mktemp("late") / "seg.dcm"
    outline(axial, made.mask, second).save_as(late)
    height = np.argsort([float(d.ImagePositionPatient[2]) for d in axial])
    return Sent(
        study=str(axial[0].StudyInstanceUID),
        series=str(axial[0].SeriesInstanceUID),
        images=[str(axial[i].SOPInstanceUID) for i in height],
        with_lesion=[place for place, i in enumerate(height) if made.mask[i].sum() > 200],
        segmentation=str(first),
        late=late,
        late_series=str(second),
    )


@dataclass
class Room:
    """The host page with the viewer in it, and everything that went wrong there."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._note_console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note_request)
        self.page.on("response", self._note_response)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _note_request(self, request: Request) -> None:
        self.addresses.append(request.url)

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def show(self, *studies: str) -> None:
        address = f"{self.origin}/a-host-page-of-this-test"
        self.page.route(
            address,
            lambda route: route.fulfill(
                content_type="text/html", body=HOST.format(studies=",".join(studies))
            ),
        )
        self.page.goto(address)

    def open(self, *studies: str) -> None:
        self.show(*studies)
        self.hears("firstImage", seconds=60)

    def must_be_quiet(self) -> None:
        """No error, no refused request, no violated policy, and nothing fetched from elsewhere."""
        assert self.complaints == []
        own = (f"{self.origin}/", f"blob:{self.origin}/", "data:")
        assert [a for a in self.addresses if not a.startswith(own)] == []

    def tell(self, **message: Any) -> None:
        self.page.evaluate("() => { heard.length = 0; }")
        self.page.evaluate("m => tell(m)", message)

    def heard(self, kind: str) -> list[dict[str, Any]]:
        return self.page.evaluate("kind => heard.filter(m => m.type === kind)", kind)

    def hears(self, kind: str, seconds: float = 15, **values: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            self.page.wait_for_timeout(50)
            return next((m for m in self.heard(kind) if values.items() <= m.items()), None)

        return eventually(look, seconds, f"the viewer says {kind} {values}; complaints: {self.complaints}")

    @property
    def viewer(self) -> Frame:
        return next(f for f in self.page.frames if "/viewer/viewer" in f.url)

    def window(self) -> tuple[float, float]:
        """Width and centre of the active viewport, HU."""
        low, high = self.viewer.evaluate(
            """() => {
              const { viewportGridService, cornerstoneViewportService } = services;
              const id = viewportGridService.getActiveViewportId();
              const { voiRange } = cornerstoneViewportService.getCornerstoneViewport(id).getProperties();
              return [voiRange.lower, voiRange.upper];
            }"""
        )
        return round(high - low + 1), round((high + low + 1) / 2)

    def overlay_pixels(self) -> int:
        """Pixels of the screen with the overlay's colour in them."""
        self.page.wait_for_timeout(300)
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        red, green, blue = np.moveaxis(np.asarray(shot).astype(int), -1, 0)
        return int(((green - red > 40) & (green - blue > 25)).sum())


@pytest.fixture(scope="module")
def signed_in(house: House, chromium: Browser) -> Iterator[BrowserContext]:
    """A radiologist's browser window."""
    password = house.add_user("viewer-reader", "radiologist")
    context = chromium.new_context(viewport={"width": 1540, "height": 1000}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{house.url}/accounts/login/")
    page.fill("input[name=login]", "viewer-reader")
    page.fill("input[name=password]", password)
    page.click("button[type=submit]")
    page.wait_for_url(lambda address: "/accounts/login" not in address)
    page.close()
    yield context
    context.close()


@pytest.fixture
def new_room(house: House, signed_in: BrowserContext) -> Iterator[Room]:
    """A host page that has opened nothing yet."""
    made = Room(signed_in.new_page(), house.url)
    made.watch()
    yield made
    made.must_be_quiet()
    made.page.close()


@pytest.fixture(scope="module")
def opened(house: House, sent: Sent, signed_in: BrowserContext) -> Room:
    made = Room(signed_in.new_page(), house.url)
    made.watch()
    made.open(sent.study)
    return made


@pytest.fixture
def room(opened: Room) -> Iterator[Room]:
    """The study open in a frame, without an outline, in the brain window."""
    opened.tell(type="overlay", on=False)
    opened.tell(type="window", preset="brain")
    yield opened
    opened.must_be_quiet()


def test_the_axial_series_opens_large_in_the_brain_window_and_the_ai_outline_stays_out(
    new_room: Room, sent: Sent
) -> None:
    room = new_room
    room.open(sent.study)
    shown = room.hears("shown", studyInstanceUID=sent.study)
    assert shown["seriesInstanceUID"] == sent.series
    assert room.hears("firstImage")["ms"] > 0
    assert room.window() == (80, 40)
    canvas = room.viewer.locator("canvas").first.bounding_box()
    assert canvas is not None
    assert canvas["width"] > 1400
    assert canvas["height"] > 900
    room.page.wait_for_timeout(1500)
    assert not [a for a in room.addresses if f"{sent.segmentation}/instances" in a]
    assert room.overlay_pixels() == 0


def test_a_jump_shows_the_image_of_that_uid_and_says_so(room: Room, sent: Sent) -> None:
    for place in (sent.with_lesion[0], 3, len(sent.images) - 1):
        room.tell(type="jump", sopInstanceUID=sent.images[place], seriesInstanceUID=sent.series)
        room.hears("shown", sopInstanceUID=sent.images[place], seriesInstanceUID=sent.series)


def test_a_jump_to_what_is_shown_already_is_answered(room: Room, sent: Sent) -> None:
    for _ in range(2):
        room.tell(type="jump", sopInstanceUID=sent.images[5])
        room.hears("shown", sopInstanceUID=sent.images[5])


def test_a_jump_to_an_image_of_another_study_is_refused_in_words(room: Room) -> None:
    room.tell(type="jump", sopInstanceUID="1.2.3.4")
    assert "1.2.3.4 is not in this study" in room.hears("error")["message"]


def test_turning_the_wheel_tells_the_host_which_image_is_shown(room: Room, sent: Sent) -> None:
    room.tell(type="jump", sopInstanceUID=sent.images[5])
    room.hears("shown", sopInstanceUID=sent.images[5])
    room.page.evaluate("() => { heard.length = 0; }")
    room.viewer.locator("canvas").first.hover()
    room.page.mouse.wheel(0, 120)
    assert room.hears("shown")["sopInstanceUID"] in {sent.images[4], sent.images[6]}


@pytest.mark.parametrize(
    ("preset", "window"), [("subdural", (200, 75)), ("bone", (2500, 480)), ("brain", (80, 40))]
)
def test_a_window_preset_is_set(room: Room, preset: str, window: tuple[int, int]) -> None:
    room.tell(type="window", preset=preset)
    eventually(lambda: room.window() == window, 10, f"{preset} window, is {room.window()}")


def test_the_outline_is_loaded_when_asked_for_lies_on_the_lesions_slices_and_goes_again(
    room: Room, sent: Sent
) -> None:
    inside = sent.images[sent.with_lesion[len(sent.with_lesion) // 2]]
    outside = sent.images[sent.with_lesion[0] - 4]
    room.tell(type="jump", sopInstanceUID=inside)
    room.hears("shown", sopInstanceUID=inside)
    room.tell(type="overlay", on=True, segSeriesInstanceUID=sent.segmentation, opacity=0.5)
    eventually(lambda: room.overlay_pixels() > 1000, 20, f"an outline; complaints: {room.complaints}")
    room.tell(type="jump", sopInstanceUID=outside)
    room.hears("shown", sopInstanceUID=outside)
    assert room.overlay_pixels() == 0
    room.tell(type="jump", sopInstanceUID=inside)
    room.hears("shown", sopInstanceUID=inside)
    assert room.overlay_pixels() > 1000
    room.tell(type="overlay", on=False)
    eventually(lambda: room.overlay_pixels() == 0, 10, "no outline")


def test_an_outline_that_came_after_the_study_was_opened_is_found(
    house: House, room: Room, sent: Sent
) -> None:
    inside = sent.images[sent.with_lesion[len(sent.with_lesion) // 2]]
    room.tell(type="jump", sopInstanceUID=inside)
    room.hears("shown", sopInstanceUID=inside)
    send(house, sent.late)
    room.tell(type="overlay", on=True, segSeriesInstanceUID=sent.late_series, opacity=0.5)
    eventually(lambda: room.overlay_pixels() > 1000, 20, f"an outline; complaints: {room.complaints}")


def test_what_the_viewer_stores_is_accepted_with_the_session_and_its_token(
    house: House, room: Room, sent: Sent, tmp_path: Path
) -> None:
    stored = pydicom.dcmread(sent.late)
    stored.SeriesInstanceUID, stored.SOPInstanceUID = hd.UID(), hd.UID()
    stored.save_as(tmp_path / "stored.dcm", enforce_file_format=True)
    room.viewer.evaluate(
        "bytes => extensionManager.getActiveDataSource()[0].store.dicom(new Uint8Array(bytes).buffer)",
        list((tmp_path / "stored.dcm").read_bytes()),
    )
    found = room.page.evaluate(
        "async url => (await fetch(url)).json()",
        f"/dicom-web/studies/{sent.study}/series?SeriesInstanceUID={stored.SeriesInstanceUID}",
    )
    assert [s["0020000E"]["Value"] for s in found] == [[str(stored.SeriesInstanceUID)]]


def test_another_frame_of_the_page_cannot_steer_the_images(room: Room, sent: Sent) -> None:
    room.page.evaluate("() => { heard.length = 0; }")
    room.page.evaluate(
        """uid => {
          const frame = document.createElement('iframe');
          document.body.append(frame);
          const script = frame.contentDocument.createElement('script');
          const message = JSON.stringify({source: 'firstread', type: 'jump', sopInstanceUID: uid});
          script.textContent = `parent.frames[0].postMessage(${message}, parent.location.origin)`;
          frame.contentDocument.body.append(script);
        }""",
        sent.images[7],
    )
    room.page.wait_for_timeout(1500)
    assert room.heard("shown") == []


def test_a_study_stands_beside_its_prior_and_a_jump_leaves_the_prior_where_it_is(
    house: House, new_room: Room, sent: Sent
) -> None:
    room = new_room
    prior = make_study(734, matrix=256, slices=12)
    send(house, *prior.datasets)
    other = str(prior.datasets[0].StudyInstanceUID)
    room.open(sent.study, other)
    left, right = (frame.bounding_box() for frame in room.viewer.locator("canvas").all()[:2])
    assert left and right
    assert left["x"] + left["width"] <= right["x"] + 2
    room.page.mouse.click(right["x"] + right["width"] / 2, right["y"] + right["height"] / 2)
    room.hears("shown", studyInstanceUID=other)
    room.tell(type="jump", sopInstanceUID=sent.images[6])
    room.hears("shown", sopInstanceUID=sent.images[6])
    studies = room.viewer.evaluate(
        """() => [...services.viewportGridService.getState().viewports.values()].map(
             v => services.displaySetService.getDisplaySetByUID(v.displaySetInstanceUIDs[0]).StudyInstanceUID)"""
    )
    assert studies == [sent.study, other]


def test_a_frame_without_a_session_says_what_to_do(house: House, sent: Sent, chromium: Browser) -> None:
    context = chromium.new_context()
    stranger = Room(context.new_page(), house.url)
    stranger.show(sent.study)
    stranger.page.frame_locator("iframe").get_by_text("Your session has ended").wait_for()
    context.close()
