"""Properties of the placement of intervals, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mdst.schedule.limits import ALIGNMENT, align
from mdst.schedule.memory_plan import Interval, Placement, plan_memory


@st.composite
def interval_lists(draw: st.DrawFn) -> list[Interval[int]]:
    steps = draw(st.integers(1, 12))
    found = []
    for key in range(draw(st.integers(0, 20))):
        first, last = sorted((draw(st.integers(0, steps)), draw(st.integers(0, steps))))
        size = draw(st.one_of(st.integers(1, 2000), st.sampled_from([256, 512, 1 << 20])))
        found.append(Interval(key, size, first, last))
    return found


def end(placement: Placement[int], interval: Interval[int]) -> int:
    return placement.offsets[interval.key] + interval.size


def most_alive(intervals: list[Interval[int]]) -> int:
    """Bytes that are alive together at the worst step."""
    return max(
        (
            sum(i.size for i in intervals if i.first <= step <= i.last)
            for step in range(max((i.last for i in intervals), default=0) + 1)
        ),
        default=0,
    )


@given(interval_lists(), st.integers(0, 5000))
def test_placement(intervals: list[Interval[int]], base: int) -> None:
    placement = plan_memory(intervals, base)
    assert placement.offsets.keys() == {i.key for i in intervals}
    for i, one in enumerate(intervals):
        assert placement.offsets[one.key] % ALIGNMENT == 0
        assert base <= placement.offsets[one.key]
        assert end(placement, one) <= placement.peak
        for other in intervals[:i]:
            together = max(one.first, other.first) <= min(one.last, other.last)
            apart = (
                end(placement, one) <= placement.offsets[other.key]
                or end(placement, other) <= placement.offsets[one.key]
            )
            assert apart or not together
    used = placement.peak - align(base)
    assert most_alive(intervals) <= used <= sum(align(i.size) for i in intervals)


@given(interval_lists())
def test_placement_does_not_depend_on_keys(intervals: list[Interval[int]]) -> None:
    named = [Interval(f"t{i.key}", i.size, i.first, i.last) for i in intervals]
    offsets = plan_memory(intervals).offsets
    assert plan_memory(named).offsets == {f"t{key}": offsets[key] for key in offsets}


def test_a_chain_needs_two_places() -> None:
    chain = [Interval(i, 1000, i, i + 1) for i in range(10)]
    assert plan_memory(chain).peak == 2 * 1024


def test_a_gap_is_used() -> None:
    # The long ones leave a gap of 512 bytes between them, once the middle one is dead.
    placed = plan_memory(
        [Interval("a", 768, 0, 9), Interval("b", 640, 0, 2), Interval("c", 512, 3, 9)]
    )
    assert placed.offsets == {"a": 0, "b": 768, "c": 768}


def test_nothing_to_place() -> None:
    assert plan_memory([], base=100) == Placement({}, 256)
