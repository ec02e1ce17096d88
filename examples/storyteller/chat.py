"""Makes conversations with the storyteller: stories (`corpus.py`) and talk (`talk/*.txt`) → turns.

A story is told first; the request for it then mentions some of the facts that really occur in it.
`python3 chat.py` prints a few conversations.
"""

import argparse
import random
import re
from dataclasses import replace
from pathlib import Path

import words
from cast import Facts, draw_facts, made_up
from corpus import (
    LENGTHS,
    MOODS,
    Plot,
    Story,
    Teller,
    any_story,
    polished,
    read_grammar,
    read_plot,
    told,
    with_articles,
    without_made_up,
)

TALK = Path(__file__).parent / "talk"
MOOD_WORDS = {
    "happy": ("happy", "cheerful", "nice"),
    "sad": ("sad", "tragic", "melancholy", "very sad"),
    "funny": ("funny", "silly", "hilarious", "humorous"),
    "scary": ("scary", "spooky", "creepy", "frightening"),
    "exciting": ("exciting", "adventurous", "thrilling"),
    "sleepy": ("calm", "sleepy", "quiet", "soothing"),
    "magical": ("magical", "magic", "enchanted"),
}
Turn = tuple[str, str]
"""Role (system, user, assistant) and text."""


class Talker:
    """Draws conversations; one per call of `talk`."""

    def __init__(self, seed: int | str) -> None:
        self._rng = random.Random(seed)
        self._plots = read_grammar()
        texts = [read_plot(path) for path in sorted(TALK.glob("*.txt"))]
        rules = {name: rule for text in texts for name, rule in text.rules.items()}
        self._more = next(text for text in texts if text.name == "more")
        self._talk = Plot("talk", (), rules)
        self._system_mood: str | None = None
        self._system_short = False

    def talk(self) -> list[Turn]:
        """A conversation of one or more requests."""
        rng = self._rng
        turns = self._system()
        draw = rng.random()
        story: Story | None = None
        if draw < 0.07:
            story = self._chat(turns, "greeting")
        elif draw < 0.12:
            story = self._chat(turns, "who")
        elif draw < 0.24:
            story = self._chat(turns, "off")
        elif draw < 0.25:
            self._say(turns, self._line("continue", {}), self._line("no_story", self._offer()))
        else:
            story = self._request(turns)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 2, 3, 4, 5, 8, 12))):
            story = self._follow(turns, story)
        return turns

    def story(self) -> str:
        """A story without a conversation."""
        return any_story(self._rng, self._plots).text

    def _system(self) -> list[Turn]:
        self._system_mood, self._system_short = None, False
        draw = self._rng.random()
        facts = draw_facts(self._rng)
        if draw < 0.11:
            return [("system", polished(self._line("system", facts)))]
        if draw < 0.14:
            self._system_mood = self._rng.choice(MOODS)
            facts["mood_word"] = self._rng.choice(MOOD_WORDS[self._system_mood])
            return [("system", polished(self._line("system_mood", facts)))]
        if draw < 0.16:
            self._system_short = True
            return [("system", polished(self._line("system_short", facts)))]
        return []

    def _line(self, rule: str, facts: Facts) -> str:
        """One line of a rule of talk."""
        facts = {"word": made_up(self._rng) if self._rng.random() < 0.3 else self._word()} | facts
        facts.setdefault("season", "summer")
        return Teller(self._rng, self._talk, facts).rule(rule)

    def _word(self) -> str:
        return self._rng.choice(
            [kind.noun for kind in words.KINDS] + "Paris music tax code".split()
        )

    def _say(self, turns: list[Turn], asked: str, answer: str) -> None:
        turns.append(("user", self._typed(asked)))
        turns.append(("assistant", answer if "\n" in answer else with_articles(polished(answer))))

    def _tell(self, turns: list[Turn], asked: str, story: Story) -> Story:
        """Answers with a story, in which only what was said is made up."""
        said = " ".join([asked, *(text for _, text in turns)])
        story = without_made_up(self._rng, story, said)
        self._say(turns, asked, story.text)
        return story

    def _typed(self, text: str) -> str:
        """Text as people type it: with or without capitals and a last mark."""
        text = with_articles(text)
        draw = self._rng.random()
        if draw < 0.13:
            text = text.lower()
        elif draw < 0.85:
            text = polished(text)
        return text.rstrip(".") if self._rng.random() < 0.3 else text

    def _new_story(self, facts: Facts | None = None, plot: Plot | None = None) -> Story:
        rng = self._rng
        mood = self._system_mood or (rng.choice(MOODS) if rng.random() < 0.35 else "plain")
        length = "short" if self._system_short else rng.choice(LENGTHS)
        facts = facts or draw_facts(rng)
        return replace_length(
            told(rng, plot or rng.choice(self._plots), facts, mood, length), length
        )

    def _offer(self) -> Facts:
        return {"offer": self._hero(self._new_story(), plain=True)} | draw_facts(self._rng)

    def _request(self, turns: list[Turn]) -> Story:
        story = self._new_story()
        return self._tell(turns, self._asked(story), story)

    def _asked(self, story: Story, rule: str | None = None) -> str:
        """A request that the story fulfils."""
        rng = self._rng
        noun, after = self._wanted(story)
        rule = rule or rng.choice(("request",) * 8 + ("request_with", "request_any"))
        subject = self._cast(story) if rule == "request_with" else self._subject(story)
        text = self._line(rule, story.facts | {"story": noun, "subject": subject})
        if after:
            text += ("" if text[-1] in ".!?" else ".") + " " + after
        return text

    def _wanted(self, story: Story) -> tuple[str, str]:
        """ "a short, sad story" and what is said after the request: "make it sad"."""
        rng = self._rng
        adjectives: list[str] = []
        after: list[str] = []
        length = story.facts["length"]
        noun = rng.choice(("story",) * 9 + ("tale", "fairy tale", "little story"))
        if length != "normal" and not self._system_short and rng.random() < 0.85:
            if rng.random() < 0.7:
                adjectives.append(length)
            else:
                after.append(rng.choice((f"make it {length}.", f"a {length} one, please.")))
        if story.mood not in ("plain", self._system_mood) and rng.random() < 0.93:
            word = rng.choice(MOOD_WORDS[story.mood])
            if rng.random() < 0.6:
                adjectives.append(word)
                if story.mood == "sleepy" and rng.random() < 0.6:
                    adjectives[-1] = "bedtime"
            else:
                after.append(rng.choice((f"make it {word}.", f"it should be {word}.")))
        return f"a {' '.join([*adjectives, noun])}", polished(" ".join(after))

    def _hero(self, story: Story, plain: bool = False) -> str:
        f, rng = story.facts, self._rng
        trait = f"{f['trait1']} " if self._told(story, "trait1") and rng.random() < 0.5 else ""
        kind = f"a {trait}{f['a.kind']}"
        if plain:
            return kind
        return rng.choice((
            kind, kind, kind, f"{kind} named {f['a']}", f"{kind} named {f['a']}",
            f"{kind} called {f['a']}", f"{f['a']} the {f['a.kind']}", f["a"],
            f"{kind} whose name is {f['a']}", f"{f['a']}, {kind}",
        ))  # fmt: skip

    def _cast(self, story: Story) -> str:
        """ "a dragon and a baker": all of it is in the story."""
        f, rng = story.facts, self._rng
        parts = [self._hero(story)]
        if self._told(story, "b.kind"):
            named = self._told(story, "b") and rng.random() < 0.3
            parts.append(f"a {f['b.kind']} named {f['b']}" if named else f"a {f['b.kind']}")
        if self._told(story, "thing") and (len(parts) == 1 or rng.random() < 0.3):
            parts.append(f"a {f['thing']}")
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 2 else parts)

    def _subject(self, story: Story) -> str:
        """What the story is about: hero, friend, thing, topic, place, time; some of them."""
        f, rng = story.facts, self._rng
        topic = self._topic(story)
        draw = rng.random()
        if draw < 0.2 and topic:
            text = topic
        elif draw < 0.3 and topic and topic.startswith("someone "):
            text = self._hero(story) + topic.removeprefix("someone")
        elif draw < 0.38 and topic and not topic.startswith("someone "):
            text = f"{self._hero(story)} and {topic}"
        elif draw < 0.55:
            text = self._cast(story)
        elif draw < 0.63 and self._told(story, "thing"):
            hue = f"{f['hue']} " if self._told(story, "hue") and rng.random() < 0.5 else ""
            text = f"a {hue}{f['thing']}"
        else:
            text = self._hero(story)
            if self._told(story, "b") and rng.random() < 0.12:
                text += f" and {f['a.his']} friend {f['b']}"
            elif self._told(story, "thing") and rng.random() < 0.4:
                hue = f"{f['hue']} " if self._told(story, "hue") and rng.random() < 0.5 else ""
                text += rng.choice((f" and a {hue}{f['thing']}", f" with a {hue}{f['thing']}",
                                    f" and {f['a.his']} {hue}{f['thing']}"))  # fmt: skip
        if self._told(story, "at") and rng.random() < 0.25:
            text += rng.choice((f" {f['at']}", f" {f['at']}", f" who lives {f['at']}"))
        return text + self._time(story)

    def _time(self, story: Story) -> str:
        f, rng = story.facts, self._rng
        if rng.random() < 0.35:
            return ""
        opening = story.text.partition("\n\n")[0]
        if "Christmas" in opening:
            return rng.choice((" at Christmas", " on Christmas Eve"))
        if "It was late at night" in opening or "It was a dark night" in opening:
            return rng.choice((" at night", " in the night", " on a dark night"))
        if "rained all day" in opening or "It was a rainy day" in opening:
            return rng.choice((" on a rainy day", " in the rain"))
        if re.search(rf"\b{f['season']}\b", opening):
            return rng.choice((f" in the {f['season']}", f" in {f['season']}"))
        return ""

    def _topic(self, story: Story) -> str | None:
        """What the plot may be called, if all that it names is told."""
        rng, f = self._rng, story.facts
        line = rng.choice(story.plot.rules["about"].lines)
        names = re.findall(r"\{([\w.]+)\}", line)
        if not all(self._told(story, name) for name in names):
            return None
        return Teller(rng, story.plot, f).expand(line)

    def _told(self, story: Story, fact: str) -> bool:
        value = story.facts.get(fact)
        return value is not None and bool(re.search(rf"\b{re.escape(value)}\b", story.text))

    def _chat(self, turns: list[Turn], kind: str) -> Story | None:
        """Greeting, question about itself or something off-topic; often a story follows."""
        rng = self._rng
        story = self._new_story()
        offer = self._hero(story, plain=True)
        answer = self._line(f"{kind}_reply", story.facts | {"offer": offer})
        self._say(turns, self._line(kind, draw_facts(rng)), answer)
        if rng.random() < 0.35:
            return None
        return self._accept(turns, story, offer)

    def _accept(self, turns: list[Turn], story: Story, offer: str) -> Story:
        """The user takes or declines what was offered, or says what the story should be about."""
        rng, answer = self._rng, turns[-1][1]
        offered = with_articles(offer) in answer
        if offered and rng.random() < 0.65 and story.facts["length"] == "normal":
            if story.mood in ("plain", self._system_mood):
                return self._tell(turns, self._line("yes", {}), story)
        story = self._new_story()
        if offered or rng.random() < 0.5:
            rule = "no" if offered else rng.choice(("request", "request_any", "yes"))
        else:
            rule = "request"
        return self._tell(turns, self._asked(story, rule), story)

    def _follow(self, turns: list[Turn], story: Story | None) -> Story | None:
        draw = self._rng.random()
        if story is None or draw < 0.24:
            return self._request(turns)
        for limit, step in (
            (0.36, self._another), (0.48, self._another_hero), (0.60, self._retell),
            (0.65, self._new_hero), (0.85, self._question), (0.91, self._continue),
        ):  # fmt: skip
            if draw < limit:
                return step(turns, story)
        if draw < 0.95:
            return self._thank(turns, story)
        return self._chat(turns, self._rng.choice(("off", "off", "who"))) or story

    def _another(self, turns: list[Turn], story: Story) -> Story:
        while (new := self._new_story()).mood not in ("plain", self._system_mood):
            pass
        return self._tell(turns, self._line("another", story.facts), new)

    def _same_hero(self, story: Story) -> Facts:
        keep = {k: v for k, v in story.facts.items() if k == "a" or k.startswith("a.")}
        drawn = draw_facts(self._rng)
        while (
            drawn["a.he"] != keep["a.he"]
            or keep["a"] in (drawn["b"], drawn["c"])
            or keep["a.kind"] in (drawn["b.kind"], drawn["c.kind"])
        ):
            drawn = draw_facts(self._rng)
        return drawn | keep | {"food": keep["a.food"]}

    def _another_hero(self, turns: list[Turn], story: Story) -> Story:
        new = self._new_story(self._same_hero(story))
        text = self._line("another_hero", story.facts)
        if new.mood not in ("plain", self._system_mood):
            text = text.rstrip(".?!") + ". Make it " + self._rng.choice(MOOD_WORDS[new.mood]) + "."
        return self._tell(turns, text, new)

    def _again(self, story: Story, mood: str, length: str, facts: Facts) -> Story:
        """The same plot and facts, told anew."""
        has_thing = self._told(story, "thing") and not story.plot.uses("thing")
        teller = Teller(self._rng, story.plot, facts)
        return replace_length(teller.tell(mood, None, has_thing, length), length)

    def _retell(self, turns: list[Turn], story: Story) -> Story:
        rng, length = self._rng, story.facts["length"]
        rule = rng.choice(("mood_change",) * 5 + ("shorter",) * 2 + ("longer",))
        mood = rng.choice(MOODS) if rule == "mood_change" else story.mood
        length = {"shorter": "short", "longer": "long"}.get(rule, length)
        new = self._again(story, mood, length, story.facts)
        word = rng.choice(MOOD_WORDS[mood]) if rule == "mood_change" else ""
        if word and rng.random() < 0.3:
            word = {"happy": "happier", "sad": "sadder", "funny": "funnier", "scary": "scarier",
                    "exciting": "more exciting"}.get(mood, word)  # fmt: skip
        return self._tell(turns, self._line(rule, story.facts | {"mood_word": word}), new)

    def _new_hero(self, turns: list[Turn], story: Story) -> Story:
        drawn = draw_facts(self._rng)
        f = story.facts
        while (
            drawn["a.he"] != f["a.he"]
            or drawn["a"] in (f["b"], f["c"])
            or drawn["a.kind"] in (f["b.kind"], f["c.kind"])
        ):
            drawn = draw_facts(self._rng)
        hero = {k: v for k, v in drawn.items() if k == "a" or k.startswith("a.")}
        new = self._again(story, story.mood, story.facts["length"], story.facts | hero)
        phrase = self._hero(new)
        return self._tell(turns, self._line("hero_change", story.facts | {"new": phrase}), new)

    def _question(self, turns: list[Turn], story: Story) -> Story:
        f = story.facts
        needs = {"hero_name": ("a",), "hero_kind": ("a.kind",), "friend": ("b", "b.kind"),
                 "place": ("at",), "thing": ("hue", "thing"), "trait": ("trait1",),
                 "moral": ("learned",)}  # fmt: skip
        kinds = [k for k, n in needs.items() if all(self._told(story, x) for x in n)]
        kind = self._rng.choice(kinds)
        lines = [
            line for line in self._talk.rules[kind].lines
            if "{b}" not in line or (self._told(story, "b") and self._told(story, "b.kind"))
        ]  # fmt: skip
        line = self._rng.choice(lines)
        facts = f | {"a.His": f["a.his"].capitalize(), "b.His": f["b.his"].capitalize()}
        asked, answer = Teller(self._rng, self._talk, facts).expand(line).split(" = ")
        self._say(turns, asked, answer)
        return story

    def _continue(self, turns: list[Turn], story: Story) -> Story:
        if not self._told(story, "b"):
            return self._another(turns, story)
        beats = tuple(self._rng.choice(beat) for beat in self._more.beats)
        teller = Teller(self._rng, self._more, story.facts)
        text = polished(" ".join(map(teller.expand, beats)))
        self._say(turns, self._line("continue", story.facts), text)
        return replace(story, text=f"{story.text} {text}")

    def _thank(self, turns: list[Turn], story: Story) -> Story:
        new = self._new_story()
        offer = self._hero(new, plain=True)
        asked = self._line("thanks", story.facts)
        reply = "thanks_reply"
        if asked.startswith(("good night", "bye", "goodbye")):
            reply = "farewell_reply"
        elif "boring" in asked or "don't" in asked:
            reply = "sorry_reply"
        self._say(turns, asked, self._line(reply, story.facts | {"offer": offer}))
        if reply != "farewell_reply" and self._rng.random() < 0.5:
            return self._accept(turns, new, offer)
        return story


def replace_length(story: Story, length: str) -> Story:
    """The story with its length among its facts."""
    return replace(story, facts=story.facts | {"length": length})


def main() -> None:
    """Print conversations."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    talker = Talker(options.seed)
    for _ in range(options.count):
        for role, text in talker.talk():
            print(f"<|{role}|>{text}<|end|>")
        print()


if __name__ == "__main__":
    main()
