"""What every headless host does, and the book-keeping they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ..bundle.manifest import Manifest
from ..errors import UsageError
from ..sampling import IN_PROMPT, SamplingParams

END, FULL = 1, 2
"""Values of `Host.done`: an end token was drawn; the limit was reached."""


@dataclass(frozen=True, slots=True)
class Request:
    """How to generate. `end_ids` end the text; `slide`: go on when the context is full, keeping the
    first `sinks` tokens in sight, else stop; `bias` float32 [vocabulary] is added to the logits."""

    sampling: SamplingParams = field(default_factory=SamplingParams)
    end_ids: tuple[int, ...] = ()
    slide: bool = True
    sinks: int = 4
    bias: npt.NDArray[np.float32] | None = None


class Host(ABC):
    """A loaded model and one text in its cache.

    `tokens` are all ids so far, `position` how many of them the cache has seen, `step` how many
    were generated. `recounted`: `counts` were changed by more than the draws of the sampler.
    """

    name: str
    tier: str | None

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self.start(Request())

    def start(self, request: Request) -> None:
        """Begins a new text."""
        vocabulary = self.manifest.model.vocabulary
        self.request = request
        self.tokens: list[int] = []
        self.position = self.step = self.done = 0
        self.counts = np.zeros(vocabulary, np.uint32)
        self.recounted = True
        self.bias = np.zeros(vocabulary, np.float32) if request.bias is None else request.bias

    @property
    def limit(self) -> int:
        """The position at which generation stops."""
        context = self.manifest.context
        return context.max_position if self.request.slide else context.window

    def prefill(self, ids: Sequence[int]) -> None:
        """Processes a prompt in chunks; leaves the logits of its last token.

        Raises UsageError when an id is unknown, there is none, or they do not fit the context.
        """
        window, vocabulary = self.manifest.context.window, self.manifest.model.vocabulary
        if self.position + len(ids) > window:
            raise UsageError(
                "RUN001",
                f"context_length_exceeded: {self.position + len(ids)} tokens do not fit the "
                f"context of {window}",
            )
        self.check_ids(ids, vocabulary)
        self.tokens += ids
        self.counts[list(ids)] |= np.uint32(IN_PROMPT)
        self.recounted = True
        chunk = self.manifest.context.chunk
        for start in range(0, len(ids), chunk):
            part = ids[start : start + chunk]
            self.run_chunk(part, last=start + chunk >= len(ids))
            self.position += len(part)

    def check_ids(self, ids: Sequence[int], vocabulary: int) -> None:
        if not ids:
            raise UsageError("RUN002", "the prompt has no tokens")
        for id in ids:
            if not 0 <= id < vocabulary:
                raise UsageError("RUN003", f"token id {id} is not one of 0 to {vocabulary - 1}")

    def decode_logits(self, token: int) -> npt.NDArray[np.float32]:
        """Processes one given token; returns the logits after it, float32 [vocabulary]."""
        self.check_ids([token], self.manifest.model.vocabulary)
        self.tokens.append(token)
        self.counts[token] |= np.uint32(IN_PROMPT)
        self.recounted = True
        self.run_token(token)
        self.position += 1
        return self.logits()

    def accept(self, ids: Sequence[int]) -> None:
        """Takes tokens that the sampler drew."""
        self.tokens += ids
        self.step += len(ids)
        for id in ids:
            self.counts[id] += 1

    def take_back(self, count: int) -> None:
        """Forgets the last `count` generated tokens; generation goes on as if they never were."""
        for id in self.tokens[len(self.tokens) - count :]:
            self.counts[id] -= 1
        self.recounted = True
        del self.tokens[len(self.tokens) - count :]
        self.step -= count
        self.done = 0
        self.position = len(self.tokens) - 1

    def close(self) -> None:  # noqa: B027 (most hosts have nothing to end)
        """Ends what runs beside the caller; the host is of no use afterwards."""

    @abstractmethod
    def run_chunk(self, ids: Sequence[int], *, last: bool) -> None:
        """Runs the prefill program on at most a chunk of ids, which stand at `position`; `last`:
        their logits are wanted."""

    @abstractmethod
    def run_token(self, token: int) -> None:
        """Runs the decode_logits program on one token, which stands at `position`."""

    @abstractmethod
    def logits(self) -> npt.NDArray[np.float32]:
        """The logits after the last token seen, float32 [vocabulary]."""

    @abstractmethod
    def sample(self) -> list[int]:
        """Draws the next token from the logits; [] when generation is done."""

    @abstractmethod
    def decode(self, steps: int) -> list[int]:
        """Up to `steps` further tokens, fewer when generation ends."""
