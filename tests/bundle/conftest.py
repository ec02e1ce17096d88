"""Where bundles are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from mdst.bundle import swap


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture(params=["exchange", "two renames"])
def each_swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the test on a kernel that can exchange names, and as on one that cannot."""
    if request.param == "two renames":
        monkeypatch.setattr(swap, "exchange", lambda a, b: False)
