"""The ER page in a real browser: an alert sounds in one tab, is answered by name, and the wall tells who has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from playwright.sync_api import Page, expect

from foundation.accounts.services import create_user
from tests.worklist.making import make_model, make_order, make_run, make_study
from worklist.alerts import services
from worklist.alerts.models import Alert
from worklist.queue import ranking

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Counts tones instead of playing them; the tabs of a window share the count as they share the sound.
COUNTED = """
window.AudioContext = class {
  state = "running";
  currentTime = 0;
  destination = {};
  createGain() {
    const nothing = () => undefined;
    return {
      gain: {
        setValueAtTime: nothing, linearRampToValueAtTime: nothing, exponentialRampToValueAtTime: nothing
      },
      connect: (next) => next,
    };
  }
  createOscillator() {
    const count = () => localStorage.setItem("tones", Number(localStorage.getItem("tones") ?? 0) + 1);
    return { frequency: {}, connect: (next) => next, start: count, stop: () => undefined };
  }
};
"""
TONES_OF_A_RING = 3
# Milliseconds: a loaded machine is slow, not wrong.
PATIENTLY = 30_000


@pytest.fixture(scope="session", autouse=True)
def _this_thread_is_not_async() -> Iterator[None]:
    """The browser's driver keeps an event loop in this thread, which Django takes for an async caller."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


def elsewhere(work: Callable[[], Any]) -> Any:
    """Run `work` in a thread of its own, for what may not run beside an event loop."""

    def run() -> Any:
        try:
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()


def raised() -> int:
    create_user(
        username="nurse",
        password="correct horse battery",
        roles=["er_staff"],
        department="ER",
        display_name="Nurse Amy",
    )
    study = make_study()
    make_order(study)
    ranking.place(study_id=study.pk, cause="arrived")
    (alert,) = services.raise_for_run(run_id=make_run(study, make_model(), probability=0.93).pk)
    return alert.pk


def test_an_alert_sounds_in_one_tab_is_answered_by_name_and_stands_on_the_wall(
    live_server: Any, sign_in: Callable[..., Page]
) -> None:
    alert_id = elsewhere(raised)
    first = sign_in(live_server.url, "nurse", "correct horse battery")
    first.context.add_init_script(COUNTED)
    second = first.context.new_page()
    for tab in (first, second):
        tab.goto(f"{live_server.url}/er")
    for tab in (first, second):
        expect(tab.get_by_test_id("alert-card")).to_contain_text("Possible intracranial", timeout=PATIENTLY)
    assert first.evaluate("localStorage.getItem('tones')") == str(TONES_OF_A_RING)

    first.get_by_test_id("alert-acknowledge").click()
    first.get_by_test_id("alert-readback").fill("Possible bleed, bed 4")
    first.get_by_test_id("alert-confirm").click()
    expect(first.get_by_test_id("alert-answered")).to_contain_text("Nurse Amy has it", timeout=PATIENTLY)
    first.get_by_test_id("alert-treat").click()
    first.get_by_test_id("alert-treat-confirm").click()
    expect(first.get_by_test_id("alert-treated")).to_contain_text("says Nurse Amy", timeout=PATIENTLY)

    second.goto(f"{live_server.url}/er?wall")
    wall = second.get_by_test_id("er-wall")
    expect(wall.get_by_test_id("wall-patient")).to_contain_text("Nurse Amy has it", timeout=PATIENTLY)
    assert wall.locator("a, button, input").count() == 0
    alert = elsewhere(lambda: Alert.objects.select_related("acknowledged_by").get(pk=alert_id))
    assert (str(alert.acknowledged_by), alert.read_back) == ("Nurse Amy", "Possible bleed, bed 4")
    assert alert.being_treated_by == "Nurse Amy"

    kept = first.evaluate(
        """async () => {
          await navigator.serviceWorker.ready;
          const found = [];
          for (const name of await caches.keys())
            for (const one of await (await caches.open(name)).keys()) found.push(new URL(one.url).pathname);
          return found;
        }"""
    )
    assert "/offline.html" in kept
    assert [path for path in kept if path != "/offline.html" and not path.startswith("/assets/")] == []
