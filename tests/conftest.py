"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mdst.codegen.kernel import TIERS
from mdst.errors import UnsupportedError
from mdst.hosts.wgpu_device import Device

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def rng() -> np.random.Generator:
    """Fresh data in every run; a failure prints the seed."""
    seed = int(np.random.SeedSequence().entropy) % 2**32  # type: ignore[arg-type]
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session", params=TIERS)
def device(request: pytest.FixtureRequest) -> Iterator[Device]:
    """A GPU device of each tier; skips where there is no adapter."""
    try:
        yield Device(request.param)
    except UnsupportedError as error:
        pytest.skip(error.message)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of larger test data beside the checkout."""
    path = ROOT.parent / "shared"
    if not path.is_dir():
        pytest.skip("needs the test data folder ../shared")
    return path
