"""Trains the storyteller: grammar → conversations → vocabulary → small Llama → `storyteller.npz`.

    python3 examples/storyteller/train.py --out storyteller.npz

Needs torch and numpy. The file holds the weights (float16, named as in GGUF), the sizes and the
vocabulary; `export.py` makes a GGUF of it. The network: RMSNorm, rotary positions on neighbouring
pairs, grouped-query attention, SwiGLU, and an output matrix that is the embedding (Touvron et al.,
"LLaMA", 2023; Ainslie et al., "GQA", 2023).
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from bpe import Vocabulary, learn
from chat import Talker, Turn
from samples import CONVERSATIONS
from torch import Tensor, nn
from torch.nn import functional

TASK = 1000
"""Conversations that one worker makes at a time."""
WARM_UP = 300
PEAK_RATE = 3e-3
SINKS = 4
"""Tokens that an engine keeps in sight when its window slides (Xiao et al., "Efficient Streaming
Language Models with Attention Sinks", 2024)."""


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes of the network, named like the `llama.*` keys of GGUF."""

    vocab_size: int = 1280
    context_length: int = 1024
    embedding_length: int = 256
    block_count: int = 6
    head_count: int = 8
    head_count_kv: int = 2
    feed_forward_length: int = 512
    rms_epsilon: float = 1e-5
    rope_base: float = 10000.0

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.embedding_length // self.head_count

    @property
    def training_length(self) -> int:
        """Tokens of a training window: more than the context, so that its last ones and the sinks
        before it are well within what was seen."""
        return self.context_length * 5 // 4


def rope_tables(config: Config) -> tuple[Tensor, Tensor]:
    """Cosines and sines, (training length, head_size / 2) each.

    Pair i at position p turns by p · base^(−2i/d), d = head_size (Su et al., "RoFormer", 2021).
    """
    exponents = torch.arange(0, config.head_size, 2, dtype=torch.float64) / config.head_size
    positions = torch.arange(config.training_length, dtype=torch.float64)
    angles = torch.outer(positions, config.rope_base**-exponents)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i + 1) of x (..., T, head_size); cos, sin are (T, head_size / 2)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1)
    return turned.flatten(-2).to(x.dtype)


class Block(nn.Module):
    """One layer: x + attention(norm(x)), then x + feed-forward(norm(x))."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.head_count, config.head_count_kv
        width, hidden = config.embedding_length, config.feed_forward_length
        kv_width = config.head_count_kv * config.head_size
        self.attn_norm = nn.RMSNorm(width, eps=config.rms_epsilon)
        self.attn_q = nn.Linear(width, width, bias=False)
        self.attn_k = nn.Linear(width, kv_width, bias=False)
        self.attn_v = nn.Linear(width, kv_width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = nn.RMSNorm(width, eps=config.rms_epsilon)
        self.ffn_gate = nn.Linear(width, hidden, bias=False)
        self.ffn_up = nn.Linear(width, hidden, bias=False)
        self.ffn_down = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """(B, T, width) → (B, T, width)."""
        x = x + self._attend(self.attn_norm(x), cos, sin)
        h = self.ffn_norm(x)
        out: Tensor = x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return out

    def _attend(self, h: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        # (B, T, heads · size) → (B, heads, T, size)
        q = rotate(self.attn_q(h).unflatten(-1, (self.heads, -1)).transpose(1, 2), cos, sin)
        k = rotate(self.attn_k(h).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2), cos, sin)
        v = self.attn_v(h).unflatten(-1, (self.kv_heads, -1)).transpose(1, 2)
        # Query head i reads key head i // (heads / kv_heads).
        k, v = (t.repeat_interleave(self.heads // self.kv_heads, dim=1) for t in (k, v))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.attn_output(mixed.transpose(1, 2).flatten(2))
        return out


class Llama(nn.Module):
    """Token ids (B, T) → logits (B, T, vocabulary)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(config.vocab_size, config.embedding_length)
        self.blk = nn.ModuleList(Block(config) for _ in range(config.block_count))
        self.output_norm = nn.RMSNorm(config.embedding_length, eps=config.rms_epsilon)
        cos, sin = rope_tables(config)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        # What adds to the residual starts smaller, so that depth does not grow it (GPT-2's scheme).
        shrink = (2 * config.block_count) ** -0.5
        for name, weight in self.named_parameters():
            adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.03 * (shrink if adds else 1.0))

    def forward(self, ids: Tensor) -> Tensor:
        """Logits of the token after each position."""
        length = ids.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        x = self.token_embd(ids)
        for block in self.blk:
            x = block(x, cos, sin)
        return functional.linear(self.output_norm(x), self.token_embd.weight)


Document = list[Turn] | str


def documents(seed: str) -> Iterator[Document]:
    """`TASK` conversations; one in ten documents is a story alone."""
    talker, rng = Talker(seed), random.Random(seed)
    for _ in range(TASK):
        yield talker.story() if rng.random() < 0.1 else talker.talk()


def texts(seed: str) -> list[str]:
    """All texts of `documents`."""
    found = documents(seed)
    return [t for d in found for t in ([d] if isinstance(d, str) else [text for _, text in d])]


def encoded(vocabulary: Vocabulary, seed: str) -> tuple[np.ndarray, np.ndarray]:
    """`documents` as token ids, one after another (uint16), and the length of each."""
    rows: list[list[int]] = []
    for document in documents(seed):
        if isinstance(document, str):
            body = [*vocabulary.encode(document), vocabulary.end]
        else:
            body = [i for role, text in document for i in vocabulary.turn(role, text)]
        rows.append([vocabulary.begin, *body])
    lengths = np.array([len(row) for row in rows])
    return np.concatenate([np.array(row, np.uint16) for row in rows]), lengths


class Data:
    """All documents as one row of token ids, of which batches are windows."""

    def __init__(
        self, parts: list[tuple[np.ndarray, np.ndarray]], length: int, device: str
    ) -> None:
        ids = np.concatenate([ids for ids, _ in parts]).astype(np.int32)
        ends = np.cumsum(np.concatenate([lengths for _, lengths in parts]))
        starts = np.concatenate([[0], ends[:-1]])
        self._length = length
        self._ids = torch.from_numpy(ids).to(device)
        self._starts = torch.from_numpy(starts[starts + length + 1 < len(ids)]).to(device)

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self._ids)

    def batch(self, size: int, slid: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs and targets (size, length): a target is the token after its input. Windows begin
        where a document begins; the share `slid` of them goes on anywhere else after the first
        SINKS tokens, which is what is in sight when a window has slid."""
        device = self._ids.device
        draw = torch.rand(3, size, generator=generator).to(device)
        starts = self._starts[(draw[0] * len(self._starts)).long()]
        jump = (draw[1] * (len(self._ids) - self._length - SINKS - 1)).long() - starts
        offsets = torch.arange(self._length + 1, device=device)
        moved = (draw[2] < slid)[:, None] & (offsets >= SINKS)
        where = starts[:, None] + offsets + torch.where(moved, jump[:, None], 0)
        windows = self._ids[where].long()
        return windows[:, :-1], windows[:, 1:]


def rate(step: int, steps: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to zero."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def losses(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of each token, nats (B, T)."""
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=inputs.is_cuda):
        logits = model(inputs)
    flat = functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), reduction="none"
    )
    return flat.view_as(targets)


def train(model: Llama, data: Data, options: argparse.Namespace, fast: bool) -> int:
    """AdamW with weight decay on matrices only; prints the loss as it goes. Returns the number of
    steps: as told, or as many as fit `options.seconds` at the speed of the first WARM_UP steps."""
    generator = torch.Generator().manual_seed(options.seed)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=fast)
    measure = torch.compile(losses) if options.compile else losses
    steps, step = options.steps or 10**9, 0
    began = time.monotonic()
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss = measure(model, *data.batch(options.batch, options.slid, generator)).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step == WARM_UP // 2:
            loss.item()
            half = time.monotonic()
        if step == WARM_UP and not options.steps:
            loss.item()
            pace = (time.monotonic() - half) / (WARM_UP - WARM_UP // 2)
            steps = WARM_UP + int(options.seconds / pace)
            print(f"{pace * 1000:.1f} ms per step: --steps {steps}", flush=True)
        if step % 200 == 0 or step == steps or step == 1:
            seconds = time.monotonic() - began
            print(f"step {step:6d}  loss {loss.item():.4f}  {seconds:.0f} s", flush=True)
    return step


@torch.no_grad()
def validate(model: Llama, data: Data, batch: int) -> None:
    """Print the loss on unseen conversations, by position, and in windows that slid."""
    generator = torch.Generator().manual_seed(0)
    for name, slid in (("in order", 0.0), ("slid", 1.0)):
        rows = [losses(model, *data.batch(batch, slid, generator)).mean(0) for _ in range(8)]
        mean = torch.stack(rows).mean(0)
        parts = " ".join(f"{part.mean().item():.4f}" for part in mean.split(128))
        print(f"validation loss, {name}: {mean.mean().item():.4f}; by 128 positions: {parts}")


@torch.no_grad()
def answers(
    model: Llama, prompts: list[list[int]], end: int, temperature: float, most: int
) -> list[list[int]]:
    """A turn of at most `most` tokens after each prompt: all at once, until each has its end."""
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(len(prompts[0]))
    full = len(model.get_buffer("cos"))
    room = [min(full, len(prompt) + most) for prompt in prompts]
    rows = [list(prompt) for prompt in prompts]
    going = [len(row) < most for row, most in zip(rows, room, strict=True)]
    while any(going):
        width = max(map(len, rows))
        ids = torch.tensor([row + [end] * (width - len(row)) for row in rows], device=device)
        last = torch.tensor([len(row) - 1 for row in rows], device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            logits = model(ids)[torch.arange(len(rows), device=device), last].float().cpu()
        if temperature:
            odds = torch.softmax(logits / temperature, dim=-1)
            drawn = torch.multinomial(odds, 1, generator=generator)[:, 0].tolist()
        else:
            drawn = logits.argmax(-1).tolist()
        for i, token in enumerate(drawn):
            if going[i]:
                rows[i].append(token)
                going[i] = token != end and len(rows[i]) < room[i]
    return [row[len(prompt) :] for row, prompt in zip(rows, prompts, strict=True)]


def show(model: Llama, vocabulary: Vocabulary, temperature: float, most: int) -> None:
    """Hold the conversations of `samples.py` and print them."""
    rows = [[vocabulary.begin] for _ in CONVERSATIONS]
    lines: list[list[str]] = [[] for _ in CONVERSATIONS]
    for turn in range(max(map(len, CONVERSATIONS))):
        live = [i for i, conversation in enumerate(CONVERSATIONS) if turn < len(conversation)]
        for i in live:
            role, _, text = CONVERSATIONS[i][turn].rpartition(">> ")
            lines[i].append(f"{role or 'user'}: {text}")
            rows[i] += vocabulary.turn(role or "user", text)
        asked = [i for i in live if not lines[i][-1].startswith("system")]
        prompts = [rows[i] + vocabulary.asks() for i in asked]
        made = answers(model, prompts, vocabulary.end, temperature, most)
        for i, prompt, answer in zip(asked, prompts, made, strict=True):
            rows[i] = prompt + answer
            mark = "" if answer and answer[-1] == vocabulary.end else " [no end]"
            lines[i].append(f"storyteller: {vocabulary.decode(answer)}{mark}")
    print(f"\n==== temperature {temperature}\n" + "\n\n".join("\n".join(line) for line in lines))


def save(path: Path, model: Llama, config: Config, vocabulary: Vocabulary) -> None:
    """Write weights, sizes (JSON) and vocabulary (JSON) as one .npz file."""
    arrays = {
        name: p.detach().cpu().to(torch.float16 if p.dim() == 2 else torch.float32).numpy()
        for name, p in model.named_parameters()
    }
    words = {"tokens": vocabulary.tokens, "merges": vocabulary.merges}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        config=np.array(json.dumps(asdict(config))),
        vocabulary=np.array(json.dumps(words)),
        **arrays,
    )


def main() -> None:
    """Generate, learn, train, save, sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("storyteller.npz"))
    parser.add_argument("--tasks", type=int, default=128, help="thousands of conversations")
    parser.add_argument("--steps", type=int, help="instead of --seconds")
    parser.add_argument("--seconds", type=float, default=140, help="training time")
    parser.add_argument("--batch", type=int, default=24, help="windows per step")
    parser.add_argument("--slid", type=float, default=0.3, help="share of windows that slid")
    parser.add_argument("--answer", type=int, default=400, help="tokens of a sampled answer")
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    options = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    torch._dynamo.config.suppress_errors = True
    began = time.monotonic()

    def clock() -> str:
        return f"{time.monotonic() - began:.0f} s"

    config = Config()
    seeds = [f"{options.seed}/{i}" for i in range(options.tasks)]
    with get_context("spawn").Pool(options.workers) as pool:
        samples = pool.map(texts, seeds[:4], chunksize=1)
        vocabulary = learn((text for part in samples for text in part), config.vocab_size)
        print(f"{len(vocabulary.tokens)} tokens learned, {clock()}", flush=True)
        parts = pool.map(partial(encoded, vocabulary), [*seeds, "unseen"], chunksize=1)
    length = config.training_length
    data, unseen = Data(parts[:-1], length, device), Data(parts[-1:], length, device)
    model = Llama(config).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{len(data)} tokens of training text; {parameters} parameters on {device}, {clock()}")

    steps = train(model, data, options, device == "cuda")
    save(options.out, model, config, vocabulary)
    print(f"{steps} steps, {steps * options.batch * length} tokens, {options.out}, {clock()}")
    validate(model, unseen, options.batch)
    for temperature in (0.0, 0.8):
        show(model, vocabulary, temperature, options.answer)
    print(f"\n{clock()} in all")


if __name__ == "__main__":
    main()
