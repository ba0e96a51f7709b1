"""The reading list with 5,000 rows in a real browser: frames while it scrolls, and a changed row's way to the screen.

    python benchmarks/list_in_browser.py [--rows 5000] [--seconds 5] [--changes 15]

A server of its own (SQLite, SYNTHETIC studies) and the machine's Chromium, headless, 1440x900, without a GPU. While the
list scrolls by a row a frame, every frame's distance to the one before is taken, and what the main thread computed
for it: 16.7 ms are there for 60 frames a second. A change is a study claimed by its button: from the server's answer
to the changed row in the document, and to the end of the frame that paints it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
os.environ["FIRSTREAD_DATA_DIR"] = tempfile.mkdtemp(prefix="firstread-bench-")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"

from django.core.management import call_command  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402

from benchmarks.worklist import fill  # noqa: E402
from foundation.accounts.models import Role  # noqa: E402
from foundation.accounts.services import create_user  # noqa: E402
from tests.house import free_port  # noqa: E402

PASSWORD = "only-for-this-benchmark-1"
FRAME_MS = 1000 / 60
# No WebGL: the list needs none, and a GPU in software would be what is measured.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
SCROLL = """async ({seconds, step}) => {
  const list = document.querySelector('[role=listbox]');
  const gaps = [];
  let last = await new Promise(requestAnimationFrame);
  const until = last + seconds * 1000;
  while (last < until) {
    list.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    gaps.push(now - last);
    last = now;
  }
  return {gaps, top: list.scrollTop, rows: document.querySelectorAll('[role=option]').length};
}"""
# Notes when an answer to a claim can be read, when the list's document changes after it, and when that is painted.
WATCH = """() => {
  window.changes = [];
  let waiting = null;
  const json = Response.prototype.json, text = Response.prototype.text;
  const note = (answer) => { if (/\\/claim\\/$/.test(answer.url)) waiting = {came: performance.now()}; };
  Response.prototype.json = function () { return json.call(this).then((v) => { note(this); return v; }); };
  Response.prototype.text = function () { return text.call(this).then((v) => { note(this); return v; }); };
  new MutationObserver(() => {
    if (!waiting) return;
    const one = waiting;
    waiting = null;
    one.changed = performance.now();
    requestAnimationFrame(() => {
      const channel = new MessageChannel();
      channel.port1.onmessage = () => { one.painted = performance.now(); window.changes.push(one); };
      channel.port2.postMessage(0);
    });
  }).observe(document.querySelector('[role=listbox]'), {subtree: true, childList: true, characterData: true});
}"""


def main() -> None:
    """Make, serve, look, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--changes", type=int, default=15)
    options = parser.parse_args()
    call_command("migrate", verbosity=0)
    fill(options.rows)
    create_user(username="bench", password=PASSWORD, roles=[Role.RADIOLOGIST])
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        "config.asgi:application",
        "--port",
        str(port),
        "--log-level",
        "error",
    ]
    server = subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        until_it_answers(url)
        with sync_playwright() as playwright:
            program = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
            page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB").new_page()
            look(page, url, options)
            browser.close()
    finally:
        server.terminate()
        server.wait(timeout=20)
        shutil.rmtree(os.environ["FIRSTREAD_DATA_DIR"], ignore_errors=True)


def look(page: Page, url: str, options: argparse.Namespace) -> None:
    """Sign in, wait for all rows, and print what scrolling and changing take."""
    page.set_default_timeout(120_000)
    page.goto(f"{url}/accounts/login/")
    page.fill("input[name=login]", "bench")
    page.fill("input[name=password]", PASSWORD)
    began = time.perf_counter()
    page.click("button[type=submit]")
    page.wait_for_selector("[role=option]")
    print(f"first rows {time.perf_counter() - began:.1f} s after signing in")
    page.wait_for_selector(f"[role=option][aria-setsize='{options.rows}']")
    print(f"all {options.rows} rows after {time.perf_counter() - began:.1f} s")
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    for name, step in (("a row a frame", 36), ("ten rows a frame", 360)):
        page.evaluate("document.querySelector('[role=listbox]').scrollTop = 0")
        page.wait_for_timeout(500)
        before = measured(devtools)
        seen = page.evaluate(SCROLL, {"seconds": options.seconds, "step": step})
        after, gaps = measured(devtools), sorted(seen["gaps"])
        computed = 1000 * (after["TaskDuration"] - before["TaskDuration"]) / len(gaps)
        late = sum(gap > 1.5 * FRAME_MS for gap in gaps) / len(gaps)
        print(
            f"scrolling by {name}: {1000 * len(gaps) / sum(gaps):.0f} frames a second, median {median(gaps):.1f} ms, "
            f"99th percentile {gaps[int(len(gaps) * 0.99)]:.1f} ms, {late:.1%} late; main thread {computed:.1f} ms a "
            f"frame, {seen['rows']} rows in the document"
        )
    page.evaluate("document.querySelector('[role=listbox]').scrollTop = 0")
    page.evaluate(WATCH)
    for number in range(options.changes):
        page.locator("[role=option]").nth(number).get_by_role("button", name="Claim").first.click(force=True)
        # No wait_for_function: it is an eval, which the page's content security policy refuses.
        while page.evaluate("window.changes.length") <= number:
            page.wait_for_timeout(50)
    changes: list[dict[str, Any]] = page.evaluate("window.changes")
    changed = sorted(one["changed"] - one["came"] for one in changes)
    painted = sorted(one["painted"] - one["came"] for one in changes)
    print(
        f"a changed row: in the document after {median(changed):.1f} ms (worst {changed[-1]:.1f}), painted after "
        f"{median(painted):.1f} ms (worst {painted[-1]:.1f}) of the answer, {len(changes)} changes"
    )


def measured(devtools: Any) -> dict[str, float]:
    """Seconds of processor time of the page's main thread, by kind."""
    return {one["name"]: one["value"] for one in devtools.send("Performance.getMetrics")["metrics"]}


def until_it_answers(url: str) -> None:
    """Wait for the server, a minute at most."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{url}/healthz", timeout=5)
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("The server did not start within a minute.")


if __name__ == "__main__":
    main()
