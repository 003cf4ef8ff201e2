"""The widget's modules: their own tests run by node, and their weight on the visitor's line."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from warmline.web.widget.assets import Assets, load_assets

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "src" / "warmline" / "web" / "widget" / "static"
LOADER_LIMIT = 5 * 1024
APP_LIMIT = 30 * 1024


def test_the_modules_keep_their_promises() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE: the widget's module tests (tests/widget_js) were not run; install Node 20 or newer")
    tests = sorted(str(path) for path in (ROOT / "tests" / "widget_js").glob("*.test.mjs"))
    assert tests
    done = subprocess.run([node, "--test", *tests], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout[-6_000:]


def test_what_is_served_is_still_a_program(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("NO NODE: the served scripts were not checked; install Node 20 or newer")
    served = load_assets(resources.files("warmline.web.widget") / "static")
    scripts = [name for name in served if name.endswith(".js")]
    for name in scripts:
        (tmp_path / f"{name.replace('/', '-')[:-3]}.mjs").write_bytes(served[name].body)
    for path in sorted(tmp_path.iterdir()):
        done = subprocess.run([node, "--check", path], capture_output=True, text=True, timeout=50, check=False)
        assert done.returncode == 0, done.stderr[-2_000:]


def test_the_loader_and_the_app_are_light() -> None:
    served = load_assets(resources.files("warmline.web.widget") / "static")
    weights = {name: len(asset.packed or asset.body) for name, asset in served.items()}
    assert weights["loader.js"] <= LOADER_LIMIT
    # What the frame's page names; the modules are in the app's script.
    loaded = {name: weights[name] for name in ("app.js", "widget.css", "icon.svg")}
    assert sum(loaded.values()) <= APP_LIMIT, loaded


async def test_scripts_travel_packed_to_browsers_that_unpack_them() -> None:
    assets = Assets()
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    for accepted in (b"br, gzip", b""):
        scope = {"path": "/widget/loader.js", "headers": [(b"accept-encoding", accepted)]}
        await assets.loader(scope, receive, send)
    packed, plain = sent[1]["body"], sent[3]["body"]
    assert gzip.decompress(packed) == plain
    assert (b"content-encoding", b"gzip") in sent[0]["headers"]
    assert (b"content-encoding", b"gzip") not in sent[2]["headers"]


def test_no_module_writes_markup_or_evaluates_text() -> None:
    for path in STATIC.rglob("*.js"):
        source = path.read_text(encoding="utf-8")
        for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert forbidden not in source, f"{forbidden} in {path.name}"
