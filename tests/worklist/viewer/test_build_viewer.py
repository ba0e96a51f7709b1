"""The build of the viewer, over small packages made here."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import PROJECT

WORKER = "7.bundle.0123456789abcdef.js"
PACKAGE = {
    "package/LICENSE": "MIT",
    "package/README.md": "not served",
    "package/dist/index.html": '<script src="/app-config.js"></script><link href="/app.bundle.css">',
    "package/dist/app.bundle.css": "a{src:url(/font.woff2)}",
    "package/dist/app.bundle.js": "x" * 5000,
    "package/dist/app.bundle.js.map": "{}",
    "package/dist/ort/ort.wasm": "big",
    "package/dist/sw.js": "importScripts('https://elsewhere')",
    f"package/dist/{WORKER}": 'new Function("a"); __webpack_require__.p = "/";',
}


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_viewer", PROJECT / "frontend" / "build_viewer.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def tarball(path: Path, files: dict[str, str], *extra: tarfile.TarInfo) -> str:
    """Write an npm-like tarball; returns its integrity hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
        for info in extra:
            archive.addfile(info)
    return "sha512-" + base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


class Workshop:
    """Folders of one build, with counts that fit the small package."""

    def __init__(self, builder: ModuleType, root: Path) -> None:
        self.builder = builder
        self.target, self.cache, self.sources = root / "ohif-dist", root / "cache", root / "viewer"
        self.tarball = self.cache / f"ohif-app-{builder.VERSION}.tgz"
        (self.sources / "firstread").mkdir(parents=True)
        (self.sources / "app-config.js").write_text("window.config = {};")
        (self.sources / "ndarray-views.js").write_text("export default function () {}")
        (self.sources / "firstread" / "extension.js").write_text("export default {};")
        counts = {".js": (1, 1), ".html": (1, 2), ".css": (1, 1)}
        chosen = [
            r
            for r in builder.REPLACEMENTS
            if r.name not in {"address of the microscopy viewer", "service worker removal"}
        ]
        self.replacements = [
            builder.replace(r, files=counts[r.suffix][0], occurrences=counts[r.suffix][1]) for r in chosen
        ]
        self.integrity = tarball(self.tarball, PACKAGE)

    def build(self, **changes: Any) -> bool:
        return self.builder.build(
            target=self.target,
            cache=self.cache,
            sources=self.sources,
            **{"integrity": self.integrity, "replacements": self.replacements} | changes,
        )


@pytest.fixture
def workshop(builder: ModuleType, tmp_path: Path) -> Workshop:
    return Workshop(builder, tmp_path)


def test_a_build_is_moved_below_viewer_and_carries_our_files(workshop: Workshop) -> None:
    assert workshop.build() is True
    dist = workshop.target
    assert 'src="/viewer/app-config.js"' in (dist / "index.html").read_text()
    assert "url(/viewer/font.woff2)" in (dist / "app.bundle.css").read_text()
    assert '__webpack_require__.p = "/viewer/"' in (dist / WORKER).read_text()
    assert (dist / "app-config.js").read_text() == "window.config = {};"
    assert (dist / "firstread" / "extension.js").is_file()
    assert (dist / "LICENSE").read_text() == "MIT"


def test_source_maps_the_onnx_runtime_and_the_service_worker_are_left_out(workshop: Workshop) -> None:
    workshop.build()
    assert not list(workshop.target.rglob("*.map"))
    assert not (workshop.target / "ort").exists()
    assert not (workshop.target / "sw.js").exists()
    assert not (workshop.target / "README.md").exists()


def test_large_text_files_get_a_compressed_twin(workshop: Workshop) -> None:
    workshop.build()
    assert (workshop.target / "app.bundle.js.gz").stat().st_size < 500
    assert not (workshop.target / "index.html.gz").exists()


def test_the_decoding_worker_is_named_in_the_build_facts(workshop: Workshop) -> None:
    workshop.build()
    assert WORKER in (workshop.target / "firstread-build.json").read_text()


def test_a_second_build_has_nothing_to_do_and_does_not_open_the_tarball(workshop: Workshop) -> None:
    workshop.build()
    workshop.tarball.unlink()
    assert workshop.build() is False


def test_a_changed_bridge_is_built_again(workshop: Workshop) -> None:
    workshop.build()
    (workshop.sources / "firstread" / "extension.js").write_text("export default { id: 'new' };")
    assert workshop.build() is True
    assert "new" in (workshop.target / "firstread" / "extension.js").read_text()


@pytest.mark.parametrize("difference", [{"occurrences": 3}, {"files": 2}])
def test_a_replacement_found_more_or_less_often_than_written_down_ends_the_build(
    workshop: Workshop, builder: ModuleType, difference: dict[str, int]
) -> None:
    off = [builder.replace(workshop.replacements[0], **difference), *workshop.replacements[1:]]
    with pytest.raises(builder.ViewerBuildError, match="public path of the bundles: found 1 in 1 files"):
        workshop.build(replacements=off)
    assert not workshop.target.exists()


def test_a_tarball_with_another_hash_ends_the_build_and_leaves_the_old_viewer(
    workshop: Workshop, builder: ModuleType
) -> None:
    workshop.build()
    before = (workshop.target / "index.html").read_text()
    tarball(workshop.tarball, PACKAGE | {"package/dist/index.html": "changed on the way"})
    with pytest.raises(builder.ViewerBuildError, match=r"is not @ohif/app 3\.13\.2"):
        workshop.build(force=True)
    assert (workshop.target / "index.html").read_text() == before


@pytest.mark.parametrize(
    "name", ["package/dist/../../outside.js", "/etc/outside.js", "package/dist/..\\outside.js"]
)
def test_a_path_that_leaves_the_folder_is_refused(workshop: Workshop, builder: ModuleType, name: str) -> None:
    integrity = tarball(workshop.tarball, PACKAGE | {name: "out"})
    with pytest.raises(builder.ViewerBuildError, match="outside its folder"):
        workshop.build(integrity=integrity)
    assert not list(workshop.target.parent.rglob("outside.js"))


def test_a_link_in_the_tarball_is_refused(workshop: Workshop, builder: ModuleType) -> None:
    link = tarfile.TarInfo("package/dist/link.js")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    integrity = tarball(workshop.tarball, PACKAGE, link)
    with pytest.raises(builder.ViewerBuildError, match="not a plain file"):
        workshop.build(integrity=integrity)


def test_what_npm_brings_is_checked_before_it_is_kept(
    workshop: Workshop, builder: ModuleType, tmp_path: Path
) -> None:
    good = workshop.tarball.rename(tmp_path / "good.tgz")
    wrong = tmp_path / "wrong.tgz"
    tarball(wrong, PACKAGE | {"package/dist/extra.js": "1"})

    def npm(brings: Path) -> list[str]:
        # argv: pack <package> --pack-destination <folder> --silent
        code = f"import shutil, sys; shutil.copy({str(brings)!r}, sys.argv[4] + '/ohif-app.tgz')"
        return [sys.executable, "-c", code]

    with pytest.raises(builder.ViewerBuildError, match="is not @ohif/app"):
        workshop.build(npm=npm(wrong))
    assert not workshop.tarball.exists()
    assert workshop.build(npm=npm(good)) is True
    assert workshop.tarball.exists()


def test_npm_that_fails_is_quoted(workshop: Workshop, builder: ModuleType) -> None:
    workshop.tarball.unlink()
    with pytest.raises(builder.ViewerBuildError, match=r"exit 3.*no network"):
        workshop.build(
            npm=[sys.executable, "-c", "import sys; print('no network', file=sys.stderr); sys.exit(3)"]
        )
