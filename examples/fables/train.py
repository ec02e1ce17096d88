"""Trains the fable model: corpus → vocabulary → Llama of one million parameters → `fables.npz`.

    python3 examples/fables/train.py --out fables.npz

Needs torch and numpy. The file holds the weights (float32, named as in GGUF), the sizes and the
vocabulary; `export.py` makes a GGUF of it.
"""

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from bpe import Vocabulary, learn
from corpus import stories
from model import Config, Llama
from torch import Tensor
from torch.nn import functional

VALIDATION_STORIES = 1000
WARM_UP = 200
PEAK_RATE = 3e-3
REPORT_EVERY = 200


class Stories:
    """All stories as one row of token ids; batches are windows that begin where a story begins."""

    def __init__(self, texts: list[str], vocabulary: Vocabulary, length: int, device: str) -> None:
        ids: list[int] = []
        starts: list[int] = []
        for text in texts:
            starts.append(len(ids))
            ids += [vocabulary.begin, *vocabulary.encode(text), vocabulary.end]
        self._length = length
        self._ids = torch.tensor(ids, device=device)
        self._starts = torch.tensor([s for s in starts if s + length < len(ids)], device=device)

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self._ids)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Inputs and targets, (size, length) each: a target is the token after its input."""
        pick = torch.randint(len(self._starts), (size,), generator=generator)
        offsets = torch.arange(self._length + 1, device=self._ids.device)
        windows = self._ids[self._starts[pick.to(self._ids.device)][:, None] + offsets]
        return windows[:, :-1], windows[:, 1:]


def rate(step: int, steps: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to zero."""
    if step < WARM_UP:
        return PEAK_RATE * (step + 1) / WARM_UP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (step - WARM_UP) / max(1, steps - WARM_UP)))


def loss_of(model: Llama, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy per token, nats."""
    return functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def train(model: Llama, data: Stories, steps: int, batch: int, seed: int) -> None:
    """AdamW with weight decay on matrices only; prints the loss as it goes."""
    generator = torch.Generator().manual_seed(seed)
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    began = time.monotonic()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss = loss_of(model, *data.batch(batch, generator))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % REPORT_EVERY == 0 or step == steps - 1:
            print(
                f"step {step:5d}  loss {loss.item():.4f}  {time.monotonic() - began:.0f} s",
                flush=True,
            )


@torch.no_grad()
def validate(model: Llama, data: Stories, batch: int) -> float:
    """Mean loss over a few batches of stories that were not trained on, nats per token."""
    generator = torch.Generator().manual_seed(0)
    return sum(loss_of(model, *data.batch(batch, generator)).item() for _ in range(8)) / 8


@torch.no_grad()
def sample(model: Llama, vocabulary: Vocabulary, prompt: str, temperature: float, seed: int) -> str:
    """Continue a prompt until the end token or a full context."""
    ids = [vocabulary.begin, *vocabulary.encode(prompt)]
    parameter = next(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    while len(ids) < len(model.get_buffer("cos")) and ids[-1] != vocabulary.end:
        logits = model(torch.tensor([ids], device=parameter.device))[0, -1].float().cpu()
        odds = torch.softmax(logits / temperature, dim=-1)
        ids.append(int(torch.multinomial(odds, 1, generator=generator)))
    return vocabulary.decode(ids)


def save(path: Path, model: Llama, config: Config, vocabulary: Vocabulary) -> None:
    """Write weights, sizes (JSON) and vocabulary (JSON) as one .npz file."""
    arrays = {name: p.detach().float().cpu().numpy() for name, p in model.named_parameters()}
    words = {"tokens": vocabulary.tokens, "merges": vocabulary.merges}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        config=np.array(json.dumps(asdict(config))),
        vocabulary=np.array(json.dumps(words)),
        **arrays,
    )


def main() -> None:
    """Generate, learn, train, sample, save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("fables.npz"))
    parser.add_argument("--stories", type=int, default=60000)
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=32, help="windows of 512 tokens per step")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(options.seed)
    torch.set_float32_matmul_precision("high")
    began = time.monotonic()
    texts = list(stories(options.stories + VALIDATION_STORIES, options.seed))
    training, held_out = texts[:-VALIDATION_STORIES], texts[-VALIDATION_STORIES:]
    config = Config()
    vocabulary = learn(training, config.vocab_size)
    data = Stories(training, vocabulary, config.context_length, device)
    unseen = Stories(held_out, vocabulary, config.context_length, device)
    model = Llama(config).to(device)
    parameters = sum(p.numel() for p in model.parameters())
    characters = sum(map(len, training))
    print(f"{len(training)} stories, {characters} characters, {len(data)} tokens")
    print(f"{parameters} parameters on {device}, prepared in {time.monotonic() - began:.0f} s")

    train(model, data, options.steps, options.batch, options.seed)
    save(options.out, model, config, vocabulary)
    print(f"validation loss {validate(model, unseen, options.batch):.4f}")
    for seed, prompt in enumerate(
        ("Once upon a time", "", "There was a girl named Zelda", "The fox")
    ):
        for temperature in (1.0, 0.7):
            print(f"\n[{temperature}] {sample(model, vocabulary, prompt, temperature, seed)}")
    print(f"\n{time.monotonic() - began:.0f} s in all")


if __name__ == "__main__":
    main()
