"""mdst-run: a compiled model without a browser."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..bundle.reader import Bundle
from ..errors import CannotWriteError, UsageError, printable
from ..hosts.choose import open_host
from ..hosts.generate import generate
from ..hosts.host import Host, Request
from ..sampling import SamplingParams
from ..text import StreamDecoder, Tokenizer, chat
from .errors import run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--prompt", metavar="TEXT", help="The prompt as text.")
@click.option("--chat", "as_chat", is_flag=True, help="The prompt is a message to the assistant.")
@click.option("--system", metavar="TEXT", help="With --chat: what the assistant is told first.")
@click.option("--tokens", metavar="1,2,3", help="The prompt as token ids, taken as they are.")
@click.option("--max-tokens", type=click.IntRange(0), default=128, show_default=True)
@click.option("--temperature", type=float, default=1.0, show_default=True, help="0: most likely.")
@click.option("--top-k", type=int, default=0, help="Draw from the K most likely tokens.")
@click.option("--top-p", type=float, default=1.0, help="Draw from this share of the probability.")
@click.option("--min-p", type=float, default=0.0, help="Least probability, in that of the best.")
@click.option("--repetition-penalty", type=float, default=1.0)
@click.option("--presence-penalty", type=float, default=0.0)
@click.option("--frequency-penalty", type=float, default=0.0)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--ignore-eos", is_flag=True, help="Go on after tokens that end the text.")
@click.option(
    "--on-full", type=click.Choice(["slide", "stop"]), default="slide", show_default=True,
    help="When the context is full: drop the oldest tokens but the sinks, or stop.",
)  # fmt: skip
@click.option("--sinks", type=int, help="First tokens that stay in sight  [4].")
@click.option("--weights", type=click.Path(path_type=Path), metavar="DIR", help="Weight files.")
@click.option(
    "--host", "host_name", type=click.Choice(["auto", "wgpu", "wasm", "numpy"]), default="auto"
)
@click.option("--tier", help="Kernels to use, such as base or subgroups  [the best possible].")
@click.option("--steps", type=click.IntRange(1, 64), default=8, help="Tokens per submit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--logits", type=click.Path(path_type=Path), metavar="FILE.npy",
    help="Save float32 [n, vocabulary]: the logits after each prompt token, by decoding.",
)  # fmt: skip
@click.option(
    "--prefill-logits", type=click.Path(path_type=Path), metavar="FILE.npy",
    help="Save float32 [vocabulary]: the logits after the prompt, by prefill.",
)  # fmt: skip
@click.version_option(__version__, "--version")
def command(
    out: Path,
    prompt: str | None,
    as_chat: bool,
    system: str | None,
    tokens: str | None,
    max_tokens: int,
    ignore_eos: bool,
    on_full: str,
    sinks: int | None,
    weights: Path | None,
    host_name: str,
    tier: str | None,
    steps: int,
    as_json: bool,
    logits: Path | None,
    prefill_logits: Path | None,
    **sampling: float,
) -> None:
    """Run the compiled model OUT on a prompt and print the text it generates."""
    bundle = Bundle.open(out, weights)
    tokenizer = Tokenizer(bundle.vocabulary())
    if as_chat:
        ids = _chat_ids(bundle, tokenizer, prompt, system, tokens)
    elif system is not None:
        raise click.UsageError("--system goes with --chat")
    else:
        ids = _prompt_ids(tokenizer, prompt, tokens)
    request = Request(
        sampling=SamplingParams(**sampling),  # type: ignore[arg-type]
        end_ids=() if ignore_eos else tokenizer.vocabulary.end_ids,
        slide=on_full == "slide",
        sinks=_sinks(sinks, bundle),
    )
    host = open_host(bundle, host_name, tier, _tell)
    host.check_ids(ids, bundle.manifest.model.vocabulary)
    if logits:
        host.start(request)
        _save(logits, np.stack([host.decode_logits(id) for id in ids]))
    host.start(request)
    if prefill_logits:
        host.prefill(ids)
        _save(prefill_logits, host.logits())
        host.start(request)
    _generate(host, tokenizer, ids, max_tokens, steps, as_json)


def _generate(
    host: Host, tokenizer: Tokenizer, ids: list[int], max_tokens: int, steps: int, as_json: bool
) -> None:
    """Prints the text as it comes, or everything as JSON at the end."""
    decoder = StreamDecoder(tokenizer)
    made: list[int] = []
    text = ""
    started = time.perf_counter()
    first = started
    for part in generate(host, ids, max_tokens, steps):
        if not made:
            first = time.perf_counter()
        made += part
        piece = "".join(decoder.push(id) for id in part)
        text += piece
        if not as_json:
            print(piece, end="", flush=True)
    ended = time.perf_counter()
    text += (rest := decoder.flush())
    if not as_json:
        print(rest)
        return
    timings = {
        "prompt_tokens": len(ids),
        "prefill_seconds": first - started,
        "decode_seconds": ended - first,
        "decode_tokens": max(len(made) - 1, 0),
    }
    result = {
        "text": text,
        "tokens": made,
        "host": host.name,
        "tier": host.tier,
        "timings": timings,
    }
    print(json.dumps(result, ensure_ascii=True, allow_nan=False))


def _prompt_ids(tokenizer: Tokenizer, prompt: str | None, tokens: str | None) -> list[int]:
    """The prompt's ids. Text gets BOS and EOS as the vocabulary says, and no special tokens."""
    if (prompt is None) == (tokens is None):
        raise click.UsageError("--prompt or --tokens is needed, and not both")
    if prompt is not None:
        return tokenizer.encode(prompt, add_special=True, parse_special=False)
    try:
        return [int(item) for item in (tokens or "").split(",")]
    except ValueError:
        raise UsageError(
            "RUN004", f"--tokens {printable(tokens or '')} is no list of ids"
        ) from None


def _chat_ids(
    bundle: Bundle,
    tokenizer: Tokenizer,
    prompt: str | None,
    system: str | None,
    tokens: str | None,
) -> list[int]:
    """Ids of a chat of one message, by the model's template."""
    if prompt is None or tokens is not None:
        raise click.UsageError("--chat needs --prompt, and takes no --tokens")
    messages = [{"role": "user", "content": prompt}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    conversation = {"messages": messages, "add_generation_prompt": True}
    values = chat.special_texts(tokenizer) | conversation
    return chat.chat_ids(tokenizer, chat.render_chat(bundle.chat_templates(), values))


def _sinks(sinks: int | None, bundle: Bundle) -> int:
    context = bundle.manifest.context
    if sinks is not None and not 0 <= sinks <= context.max_sinks:
        raise UsageError("RUN005", f"--sinks is between 0 and {context.max_sinks}")
    return context.sinks if sinks is None else sinks


def _save(path: Path, array: npt.NDArray[np.float32]) -> None:
    try:
        with path.open("wb") as file:
            np.save(file, array)
    except OSError as error:
        shown = printable(str(path), limit=400)
        raise CannotWriteError("RUN006", f"{shown}: {error.strerror or error}") from error


def _tell(message: str) -> None:
    print(f"mdst-run: {message}", file=sys.stderr)


def main(args: Sequence[str] | None = None) -> None:
    """The entry point."""
    run_command(command, "mdst-run", args)
