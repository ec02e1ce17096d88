"""Interrupts wait for the end of the block, then do what they would have done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest

from mdst.bundle.interrupts import uninterrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that reached a handler of ours, which stands in for everybody's."""
    seen: list[int] = []
    before = [signal.getsignal(number) for number in SIGNALS]

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    for number in SIGNALS:
        signal.signal(number, note)
    yield seen
    for number, handler in zip(SIGNALS, before, strict=True):
        signal.signal(number, handler)


def test_signals_wait_in_order(handled: list[int]) -> None:
    with uninterrupted():
        for number in (*SIGNALS, signal.SIGTERM):
            signal.raise_signal(number)
        assert handled == []
    assert handled == [*SIGNALS, signal.SIGTERM]
    signal.raise_signal(signal.SIGINT)
    assert handled[3:] == [signal.SIGINT]


def test_handlers_are_back_after_an_exception(handled: list[int]) -> None:
    with pytest.raises(ValueError, match="stop"), uninterrupted():
        raise ValueError("stop")
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM]


def test_blocks_may_nest(handled: list[int]) -> None:
    with uninterrupted():
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
        assert handled == []
    assert handled == [signal.SIGINT]


def test_another_thread_is_left_alone(handled: list[int]) -> None:
    ran: list[bool] = []

    def body() -> None:
        with uninterrupted():
            ran.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert ran == [True]
    assert handled == []
