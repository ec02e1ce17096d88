"""The people and animals of the fables, and the facts that a story keeps from start to end."""

from typing import NamedTuple


class Kind(NamedTuple):
    """A kind of character: its home, how it moved, what it likes to eat."""

    noun: str
    home: str
    went: str
    foods: tuple[str, ...]


def _kinds(table: str) -> tuple[Kind, ...]:
    rows = ([cell.strip() for cell in line.split("|")] for line in table.strip().splitlines())
    return tuple(
        Kind(noun, home, went, tuple(foods.split(", "))) for noun, home, went, foods in rows
    )


ANIMALS = _kinds("""
    fox      | den          | trotted  | grapes, berries, cheese
    rabbit   | burrow       | hopped   | carrots, clover, lettuce
    mouse    | nest         | scurried | cheese, corn, seeds
    bear     | cave         | walked   | honey, berries, pears
    squirrel | hollow tree  | ran      | nuts, acorns, seeds
    hedgehog | nest         | walked   | apples, pears, mushrooms
    frog     | hut          | hopped   | berries, jam, pudding
    duck     | nest         | waddled  | bread, corn, seeds
    goose    | barn         | waddled  | corn, bread, clover
    owl      | hollow tree  | flew     | berries, seeds, pudding
    cat      | basket       | ran      | fish, cream, cheese
    dog      | kennel       | ran      | sausages, bread, cheese
    turtle   | house        | crawled  | lettuce, mushrooms, berries
    crow     | nest         | flew     | cheese, corn, cherries
    lamb     | barn         | skipped  | clover, apples, oats
    goat     | shed         | climbed  | turnips, lettuce, oats
    donkey   | stable       | walked   | carrots, oats, apples
    pony     | stable       | trotted  | apples, oats, carrots
    pig      | pen          | trotted  | turnips, corn, apples
    hen      | coop         | ran      | corn, seeds, bread
    badger   | burrow       | walked   | mushrooms, honey, potatoes
    otter    | den          | ran      | fish, berries, nuts
    deer     | cottage      | ran      | clover, acorns, apples
    wolf     | cave         | trotted  | sausages, soup, cheese
    monkey   | tree house   | climbed  | bananas, nuts, plums
    sparrow  | nest         | flew     | seeds, cherries, bread
    mole     | tunnel       | crawled  | potatoes, turnips, cake
    lion     | cave         | walked   | soup, fish, honey
""")

PEOPLE = {
    "she": _kinds("""
    girl       | house   | ran    | cake, cherries, pancakes
    princess   | castle  | walked | cake, plums, pudding
    queen      | castle  | walked | pies, grapes, pudding
    shepherd   | hut     | walked | bread, cheese, soup
    gardener   | cottage | walked | plums, potatoes, soup
    """),
    "he": _kinds("""
    boy        | house   | ran    | pancakes, apples, cake
    prince     | castle  | walked | cake, grapes, pies
    king       | castle  | walked | pies, cherries, pudding
    farmer     | cottage | walked | bread, soup, potatoes
    baker      | cottage | walked | bread, pies, cake
    tailor     | cottage | walked | soup, pears, cheese
    fisherman  | hut     | walked | fish, bread, soup
    """),
}

ELDERS = {
    "she": ("owl", "turtle", "goose", "bear", "elephant", "witch"),
    "he": ("owl", "turtle", "crow", "badger", "goat", "wizard"),
}

NAMES = {
    "she": """Lily Rose Anna Mia Ella Molly Daisy Ruby Nora Tilly Clara Lucy Emma Ivy Hazel Poppy
        Sara Alice Nina Penny Bella Dora Wendy Fern Olive Zoe Mabel Greta Maya Luna Kate Amy Sue
        Holly Willow Tess Ada June Betty Pearl""".split(),
    "he": """Tom Ben Max Sam Leo Tim Jack Oliver Milo Finn Theo Hugo Oscar Felix Toby Peter Henry
        Otto Gus Ned Rufus Bruno Jasper Barney Charlie Arlo Louis Walter Rory Pip Bob Dan Will
        Harry Freddy Ollie Basil Conrad Teddy George""".split(),
}

SYLLABLES = ("ba", "bi", "da", "do", "fi", "ga", "ka", "ki", "lo", "lu", "ma", "mi", "mo", "na",
             "ni", "pa", "po", "ra", "ri", "ro", "sa", "so", "ta", "ti", "to", "va", "vi", "za",
             "zu", "jo")  # fmt: skip

PLACES = """in forest, in meadow, in valley, in garden, in orchard, in field, in village, in jungle,
    in desert, on hill, on mountain, on island, on farm, on beach, on cliff, by river, by lake,
    by pond, by sea, by mill, by bridge, by stream, near town, near castle""".split(",")
