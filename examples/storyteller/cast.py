"""Draws what a story is about: characters, places, things → its facts, by name."""

import random
import re

import words

PRONOUNS = {"he": ("he", "him", "his"), "she": ("she", "her", "her")}
LOOKS = ("quiet", "green", "sunny", "wide", "misty", "lovely", "faraway", "lonely", "small", "big")
WEATHERS = ("sunny", "rainy", "windy", "snowy", "foggy", "cold", "warm", "bright", "cloudy")
THINGS, HUES, TRAITS = map(words.listed, (words.THINGS, words.HUES, words.TRAITS))
PLACES = tuple(entry.split(maxsplit=1) for entry in words.listed(words.PLACES))

Facts = dict[str, str]


def made_up(rng: random.Random) -> str:
    """A word that is none: it teaches the model to copy whatever a request brings. `ordinary` takes
    those away that no request brought."""
    word = ""
    while len(word) < 5:  # too many shorter ones are words
        parts = (
            rng.choice(words.ONSETS) + rng.choice(words.VOWELS)
            for _ in range(rng.choice((1, 2, 2, 2, 3)))
        )
        first = rng.choice(words.VOWELS) if rng.random() < 0.12 else ""
        word = first + "".join(parts) + rng.choice(words.ENDINGS)
    return word


def _name(rng: random.Random, gender: str) -> str:
    return made_up(rng).capitalize() if rng.random() < 0.3 else rng.choice(words.NAMES[gender])


def _kind(rng: random.Random, gender: str) -> words.Kind:
    draw = rng.random()
    if draw < 0.09:
        return words.Kind(made_up(rng), "house", "walked", ("cake", "soup", "berries"))
    return rng.choice(words.PEOPLE[gender] if draw < 0.18 else words.KINDS)


def character(role: str, gender: str, kind: words.Kind, name: str) -> Facts:
    """The facts of one role: a is the hero, b the friend, c the elder."""
    he, him, his = PRONOUNS[gender]
    return {
        role: name,
        f"{role}.kind": kind.noun,
        f"{role}.home": kind.home,
        f"{role}.went": kind.went,
        f"{role}.food": kind.foods[0],
        f"{role}.he": he,
        f"{role}.He": he.capitalize(),
        f"{role}.him": him,
        f"{role}.his": his,
        f"{role}.himself": f"{him}self",
    }


def ordinary(rng: random.Random, text: str, facts: Facts, said: str) -> tuple[str, Facts]:
    """A story's text and facts with known words for all made-up ones that are not in `said`."""
    nouns = [kind.noun for kind in words.KINDS]
    names = {pronoun: words.NAMES[pronoun] for pronoun in PRONOUNS}
    known = {role: names[facts[f"{role}.he"]] for role in "abc"}
    known |= {"a.kind": nouns, "b.kind": nouns, "thing": THINGS}
    known["place"] = [place for preposition, place in PLACES if preposition == facts["prep"]]
    for fact, choices in known.items():
        word = facts[fact]
        familiar = {*choices, *words.ELDERS["he"], *words.ELDERS["she"]} | {
            kind.noun for people in words.PEOPLE.values() for kind in people
        }
        if word in familiar or re.search(rf"\b{word}\b", said, re.IGNORECASE):
            continue
        # "a" or "an" stands before it already.
        vowel = word[0].lower() in "aeiou"
        free = [c for c in choices if c not in facts.values() and (c[0].lower() in "aeio") == vowel]
        new = rng.choice(free or choices)
        text = re.sub(rf"\b{word}\b", new, text)
        facts = {name: re.sub(rf"\b{word}\b", new, value) for name, value in facts.items()}
    return text, facts


def _cast(rng: random.Random) -> Facts:
    """Hero, friend and elder; a and b differ in pronoun, so that "she" says who."""
    genders = rng.sample(("he", "she"), 2)
    kinds = [_kind(rng, gender) for gender in genders]
    while kinds[0].noun == kinds[1].noun:
        kinds[1] = _kind(rng, genders[1])
    nouns = [kind.noun for kind in kinds]
    genders.append(rng.choice(genders))
    elder = rng.choice([noun for noun in words.ELDERS[genders[2]] if noun not in nouns])
    kinds.append(words.Kind(elder, "cave", "walked", ("soup",)))

    facts: Facts = {"food": rng.choice(kinds[0].foods)}
    names: list[str] = []
    for role, gender, kind in zip("abc", genders, kinds, strict=True):
        name = _name(rng, gender)
        while name in names or name.lower() in nouns:
            name = _name(rng, gender)
        names.append(name)
        facts |= character(role, gender, kind, name)
    return facts


def draw_facts(rng: random.Random) -> Facts:
    """All that a story may need to know, but what its plot fixes."""
    (prep, place), (prep2, place2) = rng.sample(PLACES, 2)
    if rng.random() < 0.04:
        place = made_up(rng)
    season = rng.choice(words.SEASONS)
    return _cast(rng) | {
        "prep": prep,
        "place": place,
        "at": f"{prep} the {place}",
        "place2": place2,
        "at2": f"{prep2} the {place2}",
        "scene": f"the {place}" if place in words.UNIQUE else f"a {rng.choice(LOOKS)} {place}",
        "season": season,
        "weather": rng.choice(WEATHERS),
        "thing": made_up(rng) if rng.random() < 0.09 else rng.choice(THINGS),
        "hue": rng.choice(HUES),
    }
