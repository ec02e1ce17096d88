"""Builds synthetic models of true shapes, compiles them, times them in Chromium, prints the table.

    python3 tests/bench/table.py WORK --make make_gguf.py --vocab vocab.gguf --chromium PATH
        [--gpu vulkan|swiftshader] [--models llama-3-8b:Q4_K_M,…] [--peer NAME=COMMAND …]

`make_gguf.py --preset P --quant Q --vocab V OUT` writes a model. What is in WORK already is used as
it is. The share is that of the device's own reading speed, which a kernel measures through wgpu. A
peer's COMMAND is run with {model} replaced and prints a line `decode D prefill P` (tokens/s). A
second table has the microseconds of a token per kind of kernel, each step alone between two
readings of the GPU's clock: more in all than a token takes, since nothing overlaps.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mdst.bundle.manifest import Manifest, Tier
from mdst.bundle.reader import Bundle
from mdst.codegen.tiers import FLOAT_TIERS
from mdst.hosts.wgpu_device import Device, best_tier

HERE = Path(__file__).resolve().parent
MODELS = "llama-3-8b:Q4_K_M,llama-3.2-1b:Q4_K_M,qwen3-0.6b:Q8_0"
READ_BYTES = 128 << 20
READ_TIMES = 64
_READ = """
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<u32>>;
const LANES = 262144u;
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  var sum = vec4<u32>();
  for (var i = 0u; i < 32u; i++) {
    sum ^= data[id.x + i * LANES];
  }
  if (all(sum == vec4<u32>(1u))) {
    out[0] = sum;
  }
}
"""


@dataclass(frozen=True)
class _Reader:
    name: str = "read"
    wgsl: str = _READ
    access: tuple[str, ...] = ("read", "read_write")


def main() -> None:
    """Prints progress on stderr and the table on stdout."""
    given = _arguments()
    ceiling = reading_speed()
    kinds: list[str] = []
    print("| model | engine | decode | prefill 512 | dispatches | per token | share |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for text in given.models.split(","):
        preset, quant = text.split(":")
        out = _compiled(given, preset, quant)
        bundle = Bundle.open(out, check=False)
        found = _timed(given, out)
        size = token_bytes(bundle.manifest, bundle.tier(found.tier))
        share = "–" if ceiling is None else f"{found.decode * size / ceiling:.0%}"
        rates = f"{found.decode:,.0f} | {found.prefill:,.0f}"
        counts = f"{found.dispatches} | {size / 1e9:.2f} GB"
        print(
            f"| {preset} {quant} | mdst, {found.tier} | {rates} | {counts} | {share} |", flush=True
        )
        listed = ", ".join(f"{kind} {time:,.0f} ({steps})" for kind, time, steps in found.kernels)
        kinds.append(f"| {preset} {quant} | {listed} |")
        for peer in given.peer:
            name, _, command = peer.partition("=")
            decode, prefill = _peer(command.replace("{model}", str(out.with_suffix(".gguf"))))
            share = "–" if ceiling is None else f"{decode * size / ceiling:.0%}"
            rates = f"{decode:,.0f} | {prefill:,.0f}"
            print(f"| {preset} {quant} | {name} | {rates} | | | {share} |", flush=True)
    if ceiling is not None:
        print(f"\nReads reach {ceiling / 1e12:.2f} TB/s here.")
    print("\n| model | µs of a token by kind of kernel (steps) |\n| --- | --- |")
    print("\n".join(kinds))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--make", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, required=True)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--gpu", default="vulkan")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--query", default="device=webgpu&steps=0,8&runs=3&cache=0&profile=1")
    parser.add_argument("--peer", action="append", default=[])
    return parser.parse_args()


def reading_speed() -> float | None:
    """Bytes per second at which the GPU reads, or None without one that tells the time."""
    tier = best_tier(FLOAT_TIERS)
    if tier is None:
        return None
    device = Device(tier, clock=True)
    data, out = device.buffer(READ_BYTES), device.buffer(256)
    pipeline = device.pipeline(_Reader())
    step = device.bind(pipeline, [(data, 0, READ_BYTES), (out, 0, 256)], (1024, 1, 1))
    best = min(device.timed([step] * READ_TIMES) for _ in range(8))
    return READ_BYTES * READ_TIMES / best


def token_bytes(manifest: Manifest, tier: Tier) -> int:
    """Bytes of weights that a token reads: what its steps bind, but for the embedding's table."""
    views = {
        view
        for step in _decode(tier)
        if step.label != "embedding"
        for view in step.views
        if manifest.buffers[manifest.views[view].buffer].kind == "weights"
    }
    return sum(manifest.views[view].size for view in views)


def _decode(tier: Tier) -> list:  # type: ignore[type-arg]
    return min((p for p in tier.programs if p.phase == "decode"), key=lambda p: p.reach).steps


def _compiled(given: argparse.Namespace, preset: str, quant: str) -> Path:
    given.work.mkdir(parents=True, exist_ok=True)
    out: Path = given.work / f"{preset}-{quant}"
    model = out.with_suffix(".gguf")
    if not model.exists():
        what = ["--preset", preset, "--quant", quant, "--vocab", str(given.vocab), str(model)]
        subprocess.run([sys.executable, str(given.make), *what], check=True, stdout=sys.stderr)
    if not out.exists():
        code = "from mdst.cli.compile import main; main()"
        what = [str(model), str(out), "--validate", "none", "--quiet"]
        subprocess.run([sys.executable, "-c", code, *what], check=True)
    return out


@dataclass(frozen=True)
class _Found:
    """Tokens/s at the best setting of steps; a token's kernels: (kind, microseconds, steps)."""

    decode: float
    prefill: float
    tier: str
    dispatches: int
    kernels: list[tuple[str, float, int]]


def _timed(given: argparse.Namespace, out: Path) -> _Found:
    what = [str(out), "--chromium", given.chromium, "--gpu", given.gpu, "--query", given.query]
    run = [sys.executable, str(HERE / "browser.py"), *what, "--exact-clock"]
    text = subprocess.run(run, check=True, capture_output=True, text=True).stdout
    print(text, file=sys.stderr)
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    stats = next(line["stats"] for line in lines if "stats" in line)
    profiles = [line["profile"]["kernels"] for line in lines if "profile" in line]
    runs = [line for line in lines if "decode_tokens_per_second" in line]
    best = max(runs, key=lambda line: float(line["decode_tokens_per_second"]))
    return _Found(
        best["decode_tokens_per_second"],
        best["prefill_tokens_per_second"],
        stats["tier"],
        stats["dispatches_per_token"],
        [(k["label"], k["microseconds"], k["steps"]) for kernels in profiles for k in kernels],
    )


def _peer(command: str) -> tuple[float, float]:
    text = subprocess.run(command, shell=True, check=True, capture_output=True, text=True).stdout
    found = re.search(r"decode ([\d.]+) prefill ([\d.]+)", text)
    if found is None:
        raise SystemExit(f"no figures from {command}: {text[-300:]}")
    return float(found[1]), float(found[2])


if __name__ == "__main__":
    main()
