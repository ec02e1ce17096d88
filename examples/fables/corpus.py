"""Writes the training corpus: a seeded grammar (`grammar/*.txt`, `words.py`) → thousands of fables.

A plot is a list of beats, a beat is a list of alternative lines, and a line may choose words and
use rules. What a story must not forget (names, pronouns, places, the thing that was lost) is drawn
once and kept as its facts. `python3 corpus.py --count 5` prints a few.
"""

import argparse
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from words import ANIMALS, ELDERS, NAMES, PEOPLE, PLACES, SYLLABLES, Kind

GRAMMAR = Path(__file__).parent / "grammar"
PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}
SILENT = "-"

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_RULE = re.compile(r"\{([\w.]+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiou])")
# After !" and ?" the speaker may follow ("Stop!" he said): there the grammar writes the capitals.
_SENTENCE_START = re.compile(r'(?:^|[.!?] |\." )"?[a-z]|: "[a-z]')


@dataclass(frozen=True, slots=True)
class Rule:
    """Alternative lines; a fixed rule keeps its first choice for the rest of the story."""

    lines: tuple[str, ...]
    fixed: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """The beats of one kind of story, in order, and the rules that it adds to the shared ones."""

    beats: tuple[tuple[str, ...], ...] = ()
    rules: dict[str, Rule] = field(default_factory=dict)


def read_plot(path: Path) -> Plot:
    """Parse one grammar file (the format is described at the top of `grammar/_shared.txt`)."""
    beats: list[tuple[str, ...]] = []
    rules: dict[str, Rule] = {}
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        lines = tuple(line.strip() for line in block.splitlines() if line and line[0] != "#")
        if not lines:
            continue
        header = re.fullmatch(r"(\w+)(:| =)", lines[0])
        if header:
            rules[header[1]] = Rule(lines[1:], fixed=header[2] == " =")
        else:
            beats.append(lines)
    return Plot(tuple(beats), rules)


def read_grammar() -> list[Plot]:
    """All plots, each with the shared rules below its own."""
    shared = read_plot(GRAMMAR / "_shared.txt").rules
    plots = (read_plot(path) for path in sorted(GRAMMAR.glob("[a-z]*.txt")))
    return [Plot(plot.beats, shared | plot.rules) for plot in plots]


def _name(rng: random.Random, gender: str) -> str:
    # Made-up names teach the model to copy any name that a prompt brings.
    if rng.random() < 0.08:
        return "".join(rng.sample(SYLLABLES, rng.choice((2, 2, 3)))).capitalize()
    return rng.choice(NAMES[gender])


def _character(role: str, gender: str, kind: Kind, name: str) -> dict[str, str]:
    he, him, his = PRONOUNS[gender]
    return {
        role: name,
        f"{role}.kind": kind.noun,
        f"{role}.home": kind.home,
        f"{role}.went": kind.went,
        f"{role}.he": he,
        f"{role}.He": he.capitalize(),
        f"{role}.him": him,
        f"{role}.his": his,
        f"{role}.himself": f"{him}self",
    }


def _cast(rng: random.Random) -> dict[str, str]:
    """Hero (a), friend (b), elder (c); a and b differ in pronoun, so that "she" says who."""
    genders = rng.sample(("he", "she"), 2)
    kinds = rng.sample(ANIMALS, 2)
    for i, gender in enumerate(genders):
        if rng.random() < 0.2:
            kinds[i] = rng.choice(PEOPLE[gender])
    nouns = [kind.noun for kind in kinds]
    genders.append(rng.choice(genders))
    elder = rng.choice([noun for noun in ELDERS[genders[2]] if noun not in nouns])
    kinds.append(Kind(elder, "cave", "walked", ()))

    facts: dict[str, str] = {"food": rng.choice(kinds[0].foods)}
    names: list[str] = []
    for role, gender, kind in zip("abc", genders, kinds, strict=True):
        name = _name(rng, gender)
        while name in names:
            name = _name(rng, gender)
        names.append(name)
        facts |= _character(role, gender, kind, name)
    return facts


def _setting(rng: random.Random) -> dict[str, str]:
    (prep, place), (prep2, place2) = (entry.split() for entry in rng.sample(PLACES, 2))
    return {
        "prep": prep,
        "place": place,
        "at": f"{prep} the {place}",
        "place2": place2,
        "at2": f"{prep2} the {place2}",
    }


class Teller:
    """Tells one story: expands lines by the rules of its plot and remembers the facts."""

    def __init__(self, rng: random.Random, plot: Plot) -> None:
        self._rng = rng
        self._plot = plot
        self._facts = _cast(rng) | _setting(rng)

    def _lookup(self, match: re.Match[str]) -> str:
        name = match[1]
        if name in self._facts:
            return self._facts[name]
        rule = self._plot.rules[name]
        text = self._expand(self._rng.choice(rule.lines))
        if rule.fixed:
            self._facts[name] = text
        return text

    def _expand(self, line: str) -> str:
        while "[" in line:
            line = _CHOICE.sub(lambda m: self._rng.choice(m[1].split("|")), line)
        return _RULE.sub(self._lookup, line)

    def tell(self) -> str:
        """The story as one paragraph."""
        beats: list[str] = []
        for beat in self._plot.beats:
            line = self._rng.choice(beat)
            # Later beats sometimes call the hero "the fox" and not by name.
            if beats and line.startswith("{a} ") and self._rng.random() < 0.15:
                line = "the {a.kind}" + line[len("{a}") :]
            text = self._expand(line)
            if text != SILENT:
                beats.append(_SENTENCE_START.sub(lambda m: m[0].upper(), text))
        return _ARTICLE.sub(r"\1n ", self._introduce_once(" ".join(beats)))

    def _introduce_once(self, text: str) -> str:
        """Of "Milo the fox ... Milo the fox", the second becomes "Milo"."""
        for role in "abc":
            name = self._facts[role]
            head, found, tail = text.partition(name)
            text = head + found + tail.replace(f"{name} the {self._facts[f'{role}.kind']}", name)
        return text


def stories(count: int, seed: int) -> Iterator[str]:
    """`count` stories; the same seed tells the same ones."""
    rng = random.Random(seed)
    plots = read_grammar()
    for _ in range(count):
        yield Teller(rng, rng.choice(plots)).tell()


def main() -> None:
    """Print stories, one paragraph each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for story in stories(options.count, options.seed):
        print(story, end="\n\n")


if __name__ == "__main__":
    main()
