"""Times compiled models without a GPU against wllama in one Chromium, and prints the table.

    python3 tests/bench/cpu.py WORK --wllama node_modules/@wllama/wllama --chromium PATH
        [--make make_gguf.py --vocab vocab.gguf] [--models llama-3.2-1b:Q4_0,…] [--threads 1,2]
        [--prompt 64] [--tokens 32] [--repeats 5] [--limit 180] [--budget 420]

A model lies in WORK as PRESET-QUANT.gguf, or is made there by `make_gguf.py --preset P --quant Q
--ascii --vocab V OUT`. A figure is the median of the repeats after a warm-up; that both counted the
tokens that were asked for is checked. Where a case passes its limit of seconds, or all cases the
budget, it is that of the repeats that there were, whose number stands behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
CONTEXT = 1024
COLUMNS = ["model", "threads"] + [
    name.format(what)
    for what in ("decode", "prefill")
    for name in ("mdst {}", "wllama {}", "ratio")
]


@dataclass(frozen=True)
class Rates:
    """Tokens per second: medians of `repeats` runs; None where there was none."""

    decode: float | None
    prefill: float | None
    repeats: int


class Bench:
    """Runs cases, each in a browser of its own, as long as the budget lasts."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.end = time.monotonic() + given.budget

    def mdst(self, out: Path, threads: int) -> Rates:
        tier = "relaxed-threads" if threads > 1 else "relaxed"
        query = f"device=wasm&tier={tier}&steps=0&cache=0"
        return self._case(f"mdst {out.name}", out, threads, query)

    def wllama(self, out: Path, threads: int) -> Rates:
        served = {"wllama": self.given.wllama, "model.gguf": model_of(out)}
        more = [f"--serve={name}={path}" for name, path in served.items()]
        query = f"context={CONTEXT}"
        return self._case(f"wllama {out.name}", out, threads, query, "--page=wllama", *more)

    def _case(self, name: str, out: Path, threads: int, query: str, *more: str) -> Rates:
        given = self.given
        limit = min(given.limit, self.end - time.monotonic())
        counts = f"prompt={given.prompt}&tokens={given.tokens}&runs={given.repeats}"
        what = [str(out), f"--chromium={given.chromium}", "--gpu=none", f"--limit={limit}", *more]
        what.append(f"--query={query}&threads={threads}&{counts}")
        note = partial(_note, f"{name}, threads {threads}", time.monotonic())
        runs = []
        for line in self._lines(what) if limit > 0 else ():
            data = json.loads(line) if line.startswith("{") else {}
            if "run" not in data:
                note(line)
                _check_threads(data, threads)
                continue
            counted = data["prompt_tokens"], data["completion_tokens"]
            if counted != (given.prompt, given.tokens):
                raise SystemExit(f"{name}: {counted} tokens instead of those asked for")
            once = _rates([data])
            note(
                f"run {data['run']}: decode {once.decode:.2f}, prefill {once.prefill:.2f} tokens/s"
            )
            if data["run"] > 0:
                runs.append(data)
        return _rates(runs)

    def cells(self, own: Rates, peer: Rates, what: str) -> list[str]:
        ours, theirs = getattr(own, what), getattr(peer, what)
        ratio = f"{ours / theirs:.1f}" if ours and theirs else "–"
        return [self._cell(ours, own), self._cell(theirs, peer), ratio]

    def _cell(self, rate: float | None, rates: Rates) -> str:
        short = "" if rates.repeats == self.given.repeats else f" ({rates.repeats})"
        return (f"{rate:.1f}" if rate else "–") + short

    def _lines(self, what: list[str]) -> Iterator[str]:
        """What a page reports, as it comes."""
        run = subprocess.Popen(
            [sys.executable, str(HERE / "browser.py"), *what],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert run.stdout is not None
        try:
            for line in run.stdout:
                yield line.rstrip()
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()


def _check_threads(data: dict[str, Any], threads: int) -> None:
    """In the line that tells of the load."""
    if "load_seconds" in data:
        found = data.get("stats", data)["threads"]
        if found != threads:
            raise SystemExit(f"runs on {found} threads, not on {threads}")


def _note(name: str, begin: float, line: str) -> None:
    text = f"[{name}, {time.monotonic() - begin:.1f} s] {line}"
    print(text[:240], file=sys.stderr, flush=True)


def _rates(runs: list[dict[str, float]]) -> Rates:
    """The first token comes with the prompt."""
    if not runs:
        return Rates(None, None, 0)
    decode = [(run["completion_tokens"] - 1) / run["decode_seconds"] for run in runs]
    prefill = [run["prompt_tokens"] / run["prefill_seconds"] for run in runs]
    return Rates(median(decode), median(prefill), len(runs))


def model_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.gguf")


def main() -> None:
    """Prints progress on stderr and the table on stdout."""
    given = _arguments()
    outs = [_compiled(given, *text.split(":")) for text in given.models.split(",")]
    bench = Bench(given)
    print(_row(COLUMNS), _row(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for out in outs:
        for threads in map(int, given.threads.split(",")):
            own, peer = bench.mdst(out, threads), bench.wllama(out, threads)
            rates = [c for what in ("decode", "prefill") for c in bench.cells(own, peer, what)]
            print(_row([out.name.replace("-Q", " Q"), str(threads), *rates]), flush=True)
    print(f"\nTokens/s; {given.prompt} tokens, then {given.tokens}; medians of {given.repeats}.")


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--wllama", type=Path, required=True)
    parser.add_argument("--chromium", required=True)
    parser.add_argument("--make", type=Path)
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--models", default="llama-3.2-1b:Q4_0,llama-3.2-1b:Q4_K_M")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prompt", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--limit", type=float, default=180, help="seconds of a case")
    parser.add_argument("--budget", type=float, default=420, help="seconds of all cases")
    return parser.parse_args()


def _compiled(given: argparse.Namespace, preset: str, quant: str) -> Path:
    given.work.mkdir(parents=True, exist_ok=True)
    out: Path = given.work / f"{preset}-{quant}"
    model = model_of(out)
    if not model.exists():
        if given.make is None:
            raise SystemExit(f"{model} is not there, and without --make it is not made")
        what = ["--preset", preset, "--quant", quant, "--ascii", "--vocab", given.vocab, model]
        make = [sys.executable, str(given.make), *map(str, what)]
        subprocess.run(make, check=True, stdout=sys.stderr)
    if not out.exists():
        print(f"[{out.name}] compiles", file=sys.stderr, flush=True)
        code = "from mdst.cli.compile import main; main()"
        what = [str(model), str(out), "--validate", "none", "--quiet", f"--context={CONTEXT}"]
        subprocess.run([sys.executable, "-c", code, *what], check=True)
    return out


if __name__ == "__main__":
    main()
