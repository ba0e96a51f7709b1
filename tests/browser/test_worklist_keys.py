"""The list by keyboard alone, in a real browser: assign, hold, undo; and a study that another takes over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pydicom.uid import ComputedRadiographyImageStorage

from pacs.dimse import scu
from tests.house import House, eventually
from tests.pacs.conftest import make_dataset

pytestmark = pytest.mark.browser

SEARCH = "KEYS"


@pytest.fixture(scope="module")
def study(house: House) -> str:
    """One radiograph, which no model looks at; its accession number finds it among what others sent."""
    dataset = make_dataset(
        SOPClassUID=ComputedRadiographyImageStorage,
        Modality="CR",
        PatientID="KEYS-1",
        PatientName="SYNTHETIC^Keys",
        AccessionNumber=f"{SEARCH}1",
        StudyDescription="SYNTHETIC Chest",
    )
    scu.send([dataset], "127.0.0.1", house.dicom_port, called_aet="FIRSTREAD", calling_aet="MODALITY")
    return str(dataset.StudyInstanceUID)


def test_a_reader_assigns_holds_and_undoes_by_keys_and_hears_who_took_over(
    house: House, study: str, sign_in: Callable[..., Page]
) -> None:
    password = house.add_user("keys-anna", "radiologist", display_name="Dr. Anna Keys")
    house.add_user("keys-bert", "radiologist", display_name="Dr. Bert Keys")
    bert = house.token("keys-bert", "radiologist")
    expect.set_options(timeout=20_000)
    path = f"/api/worklist/{study}/"
    eventually(lambda: house.request(path, bert)[0] == 200, 20, "the study is on the list")
    page = sign_in(house.url, "keys-anna", password)
    page.goto(f"{house.url}/?search={SEARCH}")
    row = page.locator(f"[data-study-uid='{study}']")
    state, toast, form = (
        row.get_by_test_id("worklist-state"),
        page.get_by_test_id("toast"),
        page.get_by_test_id("action-popover"),
    )
    press = page.keyboard.press
    expect(state).to_contain_text("free")
    press("Home")
    expect(row).to_have_attribute("aria-selected", "true")

    press("s")
    expect(form.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("bert keys")
    expect(form.get_by_role("option")).to_have_count(1)
    press("Enter")
    expect(state).to_contain_text("for Dr. Bert Keys")
    expect(toast).to_contain_text("assigned to Dr. Bert Keys")
    assert house.api(path, bert)["assigned_to"]["username"] == "keys-bert"
    press("z")
    expect(state).to_contain_text("free")
    expect(toast).to_contain_text("Undone")

    press("h")
    expect(form.get_by_label("Waits for")).to_be_focused()
    press("ArrowDown")
    press("Enter")
    expect(state).to_contain_text("on hold")
    expect(state).to_contain_text("contrast phase, until")
    press("Control+z")
    expect(state).to_contain_text("free")
    assert house.api(path, bert)["held"] is None

    press("?")
    expect(page.get_by_test_id("help-sheet")).to_contain_text("Undo my last action on this list")
    press("Escape")

    press("c")
    expect(state).to_contain_text("mine")
    body = {"holder": "keys-anna", "reason": "chest pain"}
    house.api(f"{path}take-over/", bert, body=body)
    told = page.get_by_role("alert").filter(has_text="Dr. Bert Keys took this study over")
    expect(told).to_contain_text("“chest pain”. Your draft is kept in the report.")
    expect(state).to_contain_text("Dr. Bert Keys")
