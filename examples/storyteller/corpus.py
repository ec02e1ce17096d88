"""Tells the stories: a seeded grammar (`grammar/*.txt`, `words.py`) → texts with their facts.

A plot is a list of beats, a beat is a list of alternative lines, and a line may choose words and
use rules. What a story must not forget (names, pronouns, places, the thing that was lost) is drawn
once and kept as its facts; `chat.py` asks for stories by them. `python3 corpus.py` prints a few.
"""

import argparse
import random
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from cast import TRAITS, Facts, draw_facts, ordinary

GRAMMAR = Path(__file__).parent / "grammar"
MOODS = ("happy", "sad", "funny", "scary", "exciting", "sleepy", "magical")
SEASON_SIGNS = {
    "spring": ("the first flowers were out", "the birds were singing again"),
    "summer": ("the sun was hot", "the days were long"),
    "autumn": ("the leaves were red and gold", "the wind was blowing the leaves around"),
    "winter": ("the snow lay deep", "it was bitterly cold"),
}
SILENT = "-"

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_RULE = re.compile(r"\{([\w.]+)\}")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeio]|u(?!ni)|honest)")
# After !" and ?" the speaker may follow ("Stop!" he said): there the grammar writes the capitals.
_SENTENCE_START = re.compile(r'(?:^|[.!?] |\." )"?[a-z]|: "[a-z]')


@dataclass(frozen=True, slots=True)
class Rule:
    """Alternative lines; a fixed rule keeps its first choice for the rest of the story."""

    lines: tuple[str, ...]
    fixed: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """The beats of one kind of story, its rules and those it shares, facts that it demands."""

    name: str
    beats: tuple[tuple[str, ...], ...] = ()
    rules: dict[str, Rule] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)

    def uses(self, fact: str) -> bool:
        """Whether a beat always or sometimes speaks of a fact."""
        return any("{" + fact + "}" in line for beat in self.beats for line in beat)


@dataclass(frozen=True, slots=True)
class Story:
    """A text and what it was made from."""

    text: str
    facts: Facts
    plot: Plot
    mood: str


def read_plot(path: Path) -> Plot:
    """Parse one grammar file (the format is described at the top of `grammar/_shared.txt`)."""
    beats: list[tuple[str, ...]] = []
    rules: dict[str, Rule] = {}
    facts: Facts = {}
    for block in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
        lines = tuple(line.strip() for line in block.splitlines() if line and line[0] != "#")
        if not lines:
            continue
        header = re.fullmatch(r"(\w+)(:| =)", lines[0])
        if header:
            rules[header[1]] = Rule(lines[1:], fixed=header[2] == " =")
        elif lines[0].startswith("facts "):
            cells = lines[0].split()[1:]
            facts |= dict(zip(cells[::2], cells[1::2], strict=True))
        else:
            beats.append(lines)
    return Plot(path.stem, tuple(beats), rules, facts)


def read_grammar() -> list[Plot]:
    """All plots, each with the shared rules below its own."""
    shared: dict[str, Rule] = {}
    for path in sorted(GRAMMAR.glob("_*.txt")):
        shared |= read_plot(path).rules
    plots = map(read_plot, sorted(GRAMMAR.glob("[a-z]*.txt")))
    return [Plot(plot.name, plot.beats, shared | plot.rules, plot.facts) for plot in plots]


class Teller:
    """Tells one story: expands lines by the rules of its plot and remembers the facts."""

    def __init__(self, rng: random.Random, plot: Plot, facts: Facts) -> None:
        self._rng = rng
        self._plot = plot
        self._facts = facts | plot.facts
        self._facts["season_sign"] = rng.choice(SEASON_SIGNS[self._facts["season"]])
        if "trait1" not in self._facts and ("trait1" not in plot.rules or rng.random() < 0.65):
            self._facts["trait1"] = rng.choice(TRAITS)

    def _lookup(self, match: re.Match[str]) -> str:
        name = match[1]
        if name in self._facts:
            return self._facts[name]
        rule = self._plot.rules[name]
        text = self.expand(self._rng.choice(rule.lines))
        if rule.fixed:
            self._facts[name] = text
        return text

    def expand(self, line: str) -> str:
        """A line without choices and rules."""
        while "[" in line:
            line = _CHOICE.sub(lambda m: self._rng.choice(m[1].split("|")), line)
        return _RULE.sub(self._lookup, line)

    def rule(self, name: str) -> str:
        """One line of a rule, expanded."""
        return self.expand(self._rng.choice(self._plot.rules[name].lines))

    def _closing(self, name: str, told: list[str]) -> str:
        """A line of a rule, and none that names a friend whom the story has not met."""
        met = any(self._facts["b"] in beat for beat in told)
        text = self.rule(name)
        while not met and self._facts["b"] in text:
            text = self.rule(name)
        return text

    def _beats(self, told: list[str], mood: str, has_thing: bool, long: bool) -> None:
        odds = 0.0 if mood == "plain" else 0.4 if long else 0.28
        last = len(self._plot.beats) - 1
        for i, beat in enumerate(self._plot.beats):
            line = self._rng.choice(beat)
            # Later beats sometimes call the hero "the fox" and not by name.
            if line.startswith("{a} ") and self._rng.random() < 0.15:
                line = "the {a.kind}" + line[len("{a}") :]
            told.append(self.expand(line))
            aside = ""
            if 0 < i < last and self._rng.random() < odds:
                aside = self._closing(f"aside_{mood}", told)
            elif has_thing and 0 < i < last and self._rng.random() < 0.15:
                aside = self.rule("thing_aside")
            if aside and aside not in told:
                told.append(aside)

    def tell(self, mood: str, when: str | None, has_thing: bool, length: str) -> Story:
        """The story in three paragraphs: opening, what happens, ending. `length`: short stories
        leave out every second beat's decoration, long ones have two endings."""
        own_thing = self._plot.uses("thing")
        hook = has_thing and not own_thing
        opening = [self.rule("opening")]
        if length != "short":
            opening.append(self.rule(f"in_{mood}"))
        if when:
            opening.append(self.rule(f"when_{when}"))
        if hook:
            opening.append(self.rule("thing_in"))
        middle: list[str] = []
        self._beats(middle, mood, hook, length == "long")
        ending = [self._closing(f"end_{mood}", middle)]
        if length == "long" and mood != "sleepy":
            ending.insert(0, self._closing("homeward" if mood == "plain" else "lesson", middle))
        if hook and (length == "long" or self._rng.random() < 0.3):
            ending.append(self._closing("thing_end", middle))
        parts = (" ".join(map(polished, spoken(part))) for part in (opening, middle, ending))
        text = self._introduce("\n\n".join(parts))
        return Story(with_articles(text), dict(self._facts), self._plot, mood)

    def _introduce(self, text: str) -> str:
        """Each character's kind is told once, where the name first stands: of "Milo the fox ...
        Milo the fox", the second becomes "Milo", and a bare first "Milo" becomes "Milo the fox"."""
        for role in "abc":
            name, kind = self._facts[role], self._facts[f"{role}.kind"]
            first = re.search(rf"\b{re.escape(name)}\b", text)
            if first is None:
                continue
            head, tail = text[: first.end()], text[first.end() :]
            around = head[-70:] + tail[:40]
            full = f" the {kind}"
            if not re.search(rf"\b{re.escape(kind)}\b", around):
                head += full
            elif tail.startswith(full):
                head, tail = head + full, tail[len(full) :]
            text = head + re.sub(rf"\b({re.escape(name)}){re.escape(full)}\b", r"\1", tail)
        return text


def spoken(beats: list[str]) -> list[str]:
    """The beats that say something."""
    return [beat for beat in beats if beat != SILENT]


def polished(text: str) -> str:
    """Capitals where sentences and speeches begin."""
    return _SENTENCE_START.sub(lambda m: m[0].upper(), text)


def with_articles(text: str) -> str:
    """ "an" where a vowel follows."""
    return _ARTICLE.sub(r"\1n ", text)


def any_story(rng: random.Random, plots: list[Plot]) -> Story:
    """A story of any plot, mood and length."""
    mood = rng.choice(MOODS) if rng.random() < 0.45 else "plain"
    story = told(rng, rng.choice(plots), draw_facts(rng), mood, rng.choice(LENGTHS))
    return without_made_up(rng, story, "")


def without_made_up(rng: random.Random, story: Story, said: str) -> Story:
    """The story with known words for all made-up ones that do not occur in `said`."""
    text, facts = ordinary(rng, story.text, story.facts, said)
    return replace(story, text=text, facts=facts)


LENGTHS = ("short", "normal", "normal", "normal", "long")


def told(rng: random.Random, plot: Plot, facts: Facts, mood: str, length: str) -> Story:
    """A story of a plot about given facts."""
    when = rng.choice(("season", "season", "season", "night", "rain", "christmas"))
    if plot.name in ("snow", "winter") or rng.random() < 0.65:
        when = ""
    has_thing = rng.random() < 0.5 and length != "short"
    return Teller(rng, plot, facts).tell(mood, when or None, has_thing, length)


def main() -> None:
    """Print stories."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, plots = random.Random(options.seed), read_grammar()
    for _ in range(options.count):
        story = any_story(rng, plots)
        print(f"[{story.plot.name}, {story.mood}]\n{story.text}", end="\n\n")


if __name__ == "__main__":
    main()
