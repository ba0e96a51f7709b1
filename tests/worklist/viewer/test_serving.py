"""The viewer's page and files as browsers get them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from foundation.accounts.models import User
from worklist.viewer import files

HASHED = "89.bundle.0123456789abcdef.js"
WORKER = "97.bundle.0123456789abcdef.js"
INDEX = '<html><script>a()</script><script src="/viewer/app.js"></script><script>b()</script></html>'
STUDY = "/viewer/viewer?StudyInstanceUIDs=1.2.3"


@pytest.fixture
def dist(tmp_path: Path, settings: object) -> Path:
    """A small build, in a folder beside a secret."""
    root = tmp_path / "dist"
    (root / "firstread").mkdir(parents=True)
    (root / "index.html").write_text(INDEX)
    (root / HASHED).write_text("main()")
    (root / f"{HASHED}.gz").write_bytes(gzip.compress(b"main()"))
    (root / WORKER).write_text("decode()")
    (root / "firstread" / "bridge.js").write_text("bridge()")
    (root / "codec.wasm").write_bytes(b"\0asm")
    (root / "firstread-build.json").write_text(json.dumps({"decode_worker": WORKER}))
    (tmp_path / "secret.js").write_text("secret")
    (root / "leak.js").symlink_to(tmp_path / "secret.js")
    settings.OHIF_DIST = root  # type: ignore[attr-defined]
    return root


@pytest.fixture
def signed_in(make_user: Callable[..., User]) -> Callable[[str], Client]:
    def sign_in(role: str) -> Client:
        client = Client()
        client.force_login(make_user(role), backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in


@pytest.mark.parametrize("role", ["radiologist", "qa_reviewer", "pacs_administrator"])
def test_who_may_see_images_gets_the_page(dist: Path, signed_in: Callable[[str], Client], role: str) -> None:
    assert signed_in(role).get(STUDY).status_code == 200


@pytest.mark.parametrize("role", ["er_staff", "service"])
def test_other_roles_are_told_so(dist: Path, signed_in: Callable[[str], Client], role: str) -> None:
    answer = signed_in(role).get(STUDY)
    assert answer.status_code == 403
    assert "Your role does not open diagnostic images" in answer.text


def test_without_a_session_a_window_goes_to_sign_in_and_back(dist: Path, db: None) -> None:
    answer = Client().get(STUDY)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=/viewer/viewer")


def test_without_a_session_a_frame_says_what_to_do(dist: Path, db: None) -> None:
    answer = Client().get(STUDY, headers={"Sec-Fetch-Dest": "iframe"})
    assert answer.status_code == 401
    assert 'target="_top">Sign in again' in answer.text


def test_every_page_has_its_own_nonce_on_every_inline_script(
    dist: Path, signed_in: Callable[[str], Client]
) -> None:
    client = signed_in("radiologist")
    nonces = set()
    for _ in range(2):
        answer = client.get(STUDY)
        (nonce,) = set(re.findall(r'<script nonce="([^"]+)">', answer.text))
        assert f"'nonce-{nonce}'" in answer["Content-Security-Policy"]
        assert "<script>" not in answer.text
        assert answer["Cache-Control"] == "no-store"
        nonces.add(nonce)
    assert len(nonces) == 2


def test_the_page_may_be_framed_by_its_own_origin_only_and_reaches_no_other(
    dist: Path, signed_in: Callable[[str], Client]
) -> None:
    answer = signed_in("radiologist").get(STUDY)
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    policy = answer["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "connect-src 'self' data: blob:" in policy
    assert "'unsafe-eval'" not in policy
    assert "http" not in policy


def test_only_the_decoding_worker_may_compile_text(dist: Path) -> None:
    assert "'unsafe-eval'" in Client().get(f"/viewer/{WORKER}")["Content-Security-Policy"]
    assert "'unsafe-eval'" not in Client().get(f"/viewer/{HASHED}")["Content-Security-Policy"]


def test_hashed_files_are_kept_for_ever_and_others_are_asked_for_again(dist: Path) -> None:
    assert "immutable" in Client().get(f"/viewer/{HASHED}")["Cache-Control"]
    assert Client().get("/viewer/firstread/bridge.js")["Cache-Control"] == "no-cache"


def test_a_file_that_has_not_changed_is_not_sent_again(dist: Path) -> None:
    first = Client().get("/viewer/firstread/bridge.js")
    again = Client().get("/viewer/firstread/bridge.js", headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    (dist / "firstread" / "bridge.js").write_text("bridge(2)")
    changed = Client().get("/viewer/firstread/bridge.js", headers={"If-None-Match": first["ETag"]})
    assert changed.content == b"bridge(2)"


def test_the_compressed_form_goes_only_to_who_asks_for_it(dist: Path) -> None:
    packed = Client().get(f"/viewer/{HASHED}", headers={"Accept-Encoding": "gzip, br"})
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == b"main()"
    plain = Client().get(f"/viewer/{HASHED}")
    assert plain.content == b"main()"
    assert packed["Vary"] == plain["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [(HASHED, "text/javascript; charset=utf-8"), ("codec.wasm", "application/wasm")],
)
def test_files_carry_the_type_that_browsers_insist_on(dist: Path, name: str, content_type: str) -> None:
    answer = Client().get(f"/viewer/{name}")
    assert answer["Content-Type"] == content_type
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.js",
        "%2e%2e/secret.js",
        "firstread/..%2f..%2fsecret.js",
        "..%5csecret.js",
        "leak.js",
        "firstread/../firstread/bridge.js",
        "firstread//bridge.js",
        "./firstread/bridge.js",
        "firstread-build.json",
        "index.html.gz",
        "nothing.js",
    ],
)
def test_nothing_but_the_build_is_sent(dist: Path, path: str) -> None:
    answer = Client().get(f"/viewer/{path}")
    assert answer.status_code == 404
    assert b"secret" not in answer.content


@given(st.text(st.sampled_from("./\\%2ea-_~\0"), max_size=24).map(lambda text: text + "/secret.js"))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    root = tmp_path_factory.getbasetemp() / "outside"
    (root / "dist" / "a").mkdir(parents=True, exist_ok=True)
    (root / "secret.js").write_text("secret")
    assert files.find(root / "dist", name) is None


def test_a_viewer_that_was_not_built_says_how(
    tmp_path: Path, settings: object, signed_in: Callable[[str], Client]
) -> None:
    settings.OHIF_DIST = tmp_path / "none"  # type: ignore[attr-defined]
    answer = signed_in("radiologist").get(STUDY)
    assert answer.status_code == 503
    assert "python frontend/build_viewer.py" in answer.text
