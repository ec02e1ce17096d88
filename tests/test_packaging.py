"""An installed wheel holds the files of the checkout, at the places where they are looked for."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import mdst
from mdst.resources import folder

ROOT = Path(__file__).resolve().parents[1]
MOVED = {"compiler/mdst": "mdst", "templates": "mdst/templates", "runtime_js": "mdst/runtime_js"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    return Path(next(built))


def files_under(place: str) -> set[str]:
    """Files of the checkout below a folder, as paths in that folder, without what Python leaves."""
    top = ROOT / place
    return {
        str(path.relative_to(top))
        for path in top.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_and_its_folders(wheel: Path) -> None:
    expected = {
        f"{inside}/{name}" for place, inside in MOVED.items() for name in files_under(place)
    }
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in names if not name.startswith("mdst-")} == expected
    assert any(name.endswith(".wgsl.j2") for name in expected)


def test_the_metadata_of_the_wheel(wheel: Path) -> None:
    info = f"mdst-{mdst.__version__}.dist-info"
    archive = zipfile.ZipFile(wheel)
    metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
    assert metadata["Name"] == "mdst"
    assert metadata["Version"] == mdst.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{info}/licenses/LICENSE" in archive.namelist()
    commands = archive.read(f"{info}/entry_points.txt").decode().split()
    assert {"mdst-compile", "mdst-run", "mdst-serve"} <= set(commands)


def test_an_installed_package_finds_its_folders(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from mdst.resources import folder; print(folder('templates'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        cwd="/",
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()) == (tmp_path / "mdst/templates").resolve()


def test_a_checkout_finds_its_folders() -> None:
    assert folder("templates") == ROOT / "templates"


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = Path(next(SdistBuilder(str(ROOT)).build(directory=str(tmp_path))))
    with tarfile.open(fileobj=io.BytesIO(sdist.read_bytes())) as archive:
        # Python 3.11.2, Debian 12's, knows no filters yet; 3.12 warns without one.
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
        archive.extractall(tmp_path)
    unpacked = tmp_path / f"mdst-{mdst.__version__}"
    assert (unpacked / "tests/test_packaging.py").is_file()
    again = next(WheelBuilder(str(unpacked)).build(directory=str(tmp_path)))
    assert Path(again).read_bytes() == wheel.read_bytes()
