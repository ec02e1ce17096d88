"""Times every kernel of a compiled model on this machine's GPU, through wgpu.

    python3 tests/bench/kernels.py OUT [PROGRAM] [TIER]

Each distinct (kernel, grid) of the program (default: decode) runs in a loop over all the steps that
use it, so that weights come from memory as they do in use. Printed per kernel: µs per dispatch,
GB/s of the weights it binds, uses per run, and its share of the sum. The state is that of a text of
POSITION tokens (environment, default 512).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from mdst.bundle.reader import Bundle
from mdst.hosts.wgpu_device import BoundStep
from mdst.hosts.wgpu_host import WgpuHost

LEAST_SECONDS = 0.3
"""GPU clocks rise from idle, and fall where submits are short: this long is run while a kernel is
timed, of which the later half counts, in submits of"""
LONG_SUBMIT = 0.005


def main() -> None:
    """Prints a line per kernel, slowest in all first, and the sum."""
    out, program, tier = (*sys.argv[1:], *("", "decode", "subgroups")[len(sys.argv) - 1 :])
    bundle = Bundle.open(Path(out))
    host = WgpuHost(bundle, tier, clock=True)  # type: ignore[arg-type]
    manifest = bundle.manifest
    print(f"{host.device.adapter}; {manifest.model.name}; {program}; tier {tier}")
    stored = bundle.tier(tier)
    listed = next(p for p in stored.programs if p.name == program)
    bound = host._programs[program]
    host.position = int(os.environ.get("POSITION", "512"))
    uses: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for i, step in enumerate(listed.steps):
        uses.setdefault((stored.kernels[step.kernel].name, tuple(step.grid)), []).append(i)
    lines = []
    total = 0.0
    for (name, grid), indices in uses.items():
        steps = [bound[i] for i in indices]
        seconds = _time(host, steps, listed.tokens) / len(steps)
        first = listed.steps[indices[0]]
        views = [manifest.views[v] for v in first.views]
        weights = sum(v.size for v in views if manifest.buffers[v.buffer].kind == "weights")
        shape = "x".join(map(str, grid))
        total += seconds * len(indices)
        text = f"{name:28} {first.label:24} {shape:>12} x{len(indices):<3} {seconds * 1e6:8.1f} µs"
        lines.append((seconds * len(indices), f"{text} {weights / seconds / 1e9:7.0f} GB/s"))
    for share, line in sorted(lines, reverse=True):
        print(f"{line} {100 * share / total:5.1f} %")
    whole = _time(host, bound, listed.tokens)
    print(f"sum of kernels {total * 1e3:.3f} ms; whole program {whole * 1e3:.3f} ms per run")


def _time(host: WgpuHost, steps: list[BoundStep], tokens: int) -> float:
    """Seconds of the GPU for `steps`, always from the same position: the median of the later half
    of several runs."""
    times: list[float] = []
    repeat = 1
    begin = time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < LEAST_SECONDS:
        host._write_state(n_tokens=tokens)
        times.append(host.device.timed(steps * repeat) / repeat)
        repeat = max(1, min(256, int(LONG_SUBMIT / times[-1])))
    late = sorted(times[len(times) // 2 :])
    return late[len(late) // 2]


if __name__ == "__main__":
    main()
