"""Who and what the stories are about: kinds of characters, names, places, things, traits."""

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
        Kind(noun.strip(), home, went, tuple(foods.split(", ")))
        for nouns, home, went, foods in rows
        for noun in nouns.split(",")
    )


# He or she, as the story likes.
KINDS = _kinds("""
    fox, red fox                | den         | trotted  | grapes, berries, cheese
    rabbit, white rabbit, bunny | burrow      | hopped   | carrots, clover, lettuce
    mouse, hamster, rat         | nest        | scurried | cheese, corn, seeds
    bear, panda, bear cub       | cave        | walked   | honey, berries, pears
    squirrel, raccoon           | hollow tree | ran      | nuts, acorns, seeds
    hedgehog, beaver, ant       | nest        | walked   | apples, pears, mushrooms
    frog, toad, kangaroo        | hut         | hopped   | berries, jam, pudding
    duck, swan, penguin         | nest        | waddled  | bread, corn, seeds
    goose, chick                | barn        | waddled  | corn, bread, clover
    owl, parrot, eagle, bat     | hollow tree | flew     | berries, seeds, pudding
    cat, kitten, black cat      | basket      | ran      | fish, cream, cheese
    dog, puppy                  | kennel      | ran      | sausages, bread, cheese
    turtle, snail, crab, snake  | house       | crawled  | lettuce, mushrooms, berries
    crow, sparrow, blue bird    | nest        | flew     | cheese, corn, cherries
    bee, butterfly, ladybug     | tree house  | flew     | honey, jam, berries
    lamb, sheep                 | barn        | skipped  | clover, apples, oats
    goat                        | shed        | climbed  | turnips, lettuce, oats
    donkey, cow, camel          | stable      | walked   | carrots, oats, apples
    horse, pony, zebra, unicorn | stable      | trotted  | apples, oats, carrots
    pig, piglet                 | pen         | trotted  | turnips, corn, apples
    hen, chicken                | coop        | ran      | corn, seeds, bread
    badger, mole                | tunnel      | crawled  | mushrooms, honey, potatoes
    otter, seal                 | den         | slid     | fish, berries, nuts
    deer, giraffe               | cottage     | ran      | clover, acorns, apples
    wolf, lion, tiger           | cave        | walked   | sausages, soup, fish
    monkey, koala, spider       | tree house  | climbed  | bananas, nuts, plums
    elephant, hippo, dinosaur   | cave        | marched  | peanuts, bananas, cake
    dragon, green dragon        | cave        | flew     | soup, cake, honey
    giant, troll, blue monster  | cave        | marched  | soup, potatoes, pancakes
    robot, snowman, ghost       | shed        | rolled   | cake, cookies, ice cream
    fairy, elf, gnome, mermaid  | tree house  | hurried  | berries, honey, cake
    knight, pirate, explorer    | cabin       | marched  | stew, bread, cheese
    sailor, astronaut, pilot    | cabin       | walked   | soup, cookies, bread
    baker, cook                 | cottage     | hurried  | bread, pies, cake
    farmer, miller, gardener    | cottage     | walked   | bread, soup, potatoes
    teacher, doctor, student    | house       | hurried  | soup, apples, cookies
    painter, singer, dancer     | house       | danced   | cake, cherries, pancakes
    shoemaker, tailor, carpenter| cottage     | walked   | soup, pears, cheese
    clockmaker, inventor        | house       | hurried  | toast, jam, tea
    shepherd, hunter            | hut         | walked   | bread, cheese, soup
    detective, librarian        | house       | walked   | tea, toast, cookies
    child, traveler, musician   | house       | walked   | apples, bread, cake
""")

PEOPLE = {
    "she": _kinds("""
    girl, little girl        | house   | ran    | cake, cherries, pancakes
    princess                 | castle  | walked | cake, plums, pudding
    queen                    | castle  | walked | pies, grapes, pudding
    witch                    | hut     | flew   | soup, mushrooms, pudding
    woman, grandmother, nurse| cottage | walked | plums, potatoes, soup
    """),
    "he": _kinds("""
    boy, little boy          | house   | ran    | pancakes, apples, cake
    prince                   | castle  | walked | cake, grapes, pies
    king                     | castle  | walked | pies, cherries, pudding
    wizard                   | tower   | walked | soup, toast, cake
    man, grandfather         | cottage | walked | bread, pies, cake
    fisherman                | hut     | walked | fish, bread, soup
    """),
}

ELDERS = {
    "she": ("owl", "turtle", "goose", "bear", "elephant", "witch"),
    "he": ("owl", "turtle", "crow", "badger", "goat", "wizard"),
}

NAMES = {
    "she": """Lily Rose Anna Mia Ella Molly Daisy Ruby Nora Tilly Clara Lucy Emma Ivy Hazel Poppy
        Sara Alice Nina Penny Bella Dora Wendy Fern Olive Zoe Mabel Greta Maya Luna Kate Amy Sue
        Holly Willow Tess Ada June Betty Pearl Zelda Mary Jane Eva Lena Julia Sophie Olivia Ava
        Grace Chloe Flora Stella Hannah Laura Leah Heidi Ingrid Yuki Mei Aisha Fatima Priya Sofia
        Elena Rita Carmen Lola Nadia Vera Irma Martha Ruth Edith Agnes Elsa Pippa Trixie
        Coco""".split(),
    "he": """Tom Ben Max Sam Leo Tim Jack Oliver Milo Finn Theo Hugo Oscar Felix Toby Peter Henry
        Otto Gus Ned Rufus Bruno Jasper Barney Charlie Arlo Louis Walter Rory Pip Bob Dan Will
        Harry Freddy Ollie Basil Conrad Teddy George John David Paul Mark Luke Noah Liam Ethan
        Lucas Adam Eric Karl Fritz Hans Ivan Boris Omar Ali Ravi Kenji Hiro Diego Pablo Marco
        Luca Mateo Jonas Emil Anton Victor Ralph Ernest Archie Alfie Ziggy Biscuit Bolt
        Rusty""".split(),
}

# Of made-up words: how syllables begin, what they sound like, how words end.
ONSETS = """b c ch d f g h j k l m n p qu r s sh t th v w x y z
    bl br cl cr dr fl fr gl gr kl kr pl pr sc sk sl sm sn sp st str sw tr zh""".split()
VOWELS = "a a a a e e e e i i i i o o o o u u u y ai au ea ee ei ie io oa oo ou".split()
ENDINGS = [
    "",
    "",
    "",
    *"""b ck d f g k l ll m n nd ng nk nt p ph r rd rk rt s sh ss st t th tt w x z
    bert la lla le lin ly na ra ron son ton vich""".split(),
]

PLACES = """in forest, in meadow, in valley, in garden, in orchard, in field, in village, in jungle,
    in desert, in city, in castle, in park, in zoo, in cave, in kitchen, in library, in school,
    in museum, in snow, in mountains, in woods, in swamp, in attic, in old mill, in tower, in town,
    on hill, on mountain, on island, on farm, on beach, on cliff, on moon, on ship, on train,
    on roof, by river, by lake, by pond, by sea, by mill, by bridge, by stream, by lighthouse,
    by waterfall, by road, near town, near castle, near harbor, near old well, at market, at circus,
    at station, under bridge, under sea, under old oak"""

THINGS = """ball, kite, hat, scarf, bell, drum, lantern, basket, boat, book, button, key, spoon,
    blanket, whistle, flute, ring, cup, box, shell, feather, doll, wagon, cap, coat, mirror, coin,
    pillow, teapot, clock, map, pencil, balloon, umbrella, violin, guitar, trumpet, piano, sword,
    crown, stone, star, letter, candle, lamp, telescope, compass, hammer, rope, ladder, bucket,
    broom, shovel, bicycle, sled, robot, teddy bear, paintbrush, picture, camera, radio, watch,
    necklace, bracelet, diamond, pearl, treasure chest, bottle, jar, suitcase, bag, glove, sock,
    shoe, boot, slipper, ribbon, carpet, chair, cake, cookie, apple, pumpkin, banana, carrot, egg,
    seed, flower, sunflower, rose, potion, wand, magic wand, book of spells, music box, snow globe,
    puppet, puzzle, marble, toy train, toy boat, sandwich, pie, pancake, cheese, mushroom, kettle,
    bathtub, door, window, wheel, flag, wooden horse, paper boat, fishing rod, spyglass, backpack"""

HUES = """red, blue, green, yellow, white, purple, pink, golden, silver, wooden, shiny, little,
    striped, old, brown, round, black, orange, tiny, big, broken, magic, glass, strange"""

TRAITS = """brave, kind, clever, curious, cheerful, gentle, busy, shy, quiet, merry, friendly,
    polite, lonely, lazy, greedy, proud, grumpy, sleepy, hungry, silly, funny, happy, sad, wise,
    old, young, small, tiny, big, fat, strong, fast, slow, poor, rich, clumsy, dreamy, stubborn,
    honest, patient, impatient, nervous, timid, angry, careful, careless, noisy, naughty, jolly,
    lucky, unlucky, tired, messy, tidy, selfish, generous, forgetful, mysterious, wild, calm"""

# Places of which there is only one: nobody lives "in a quiet woods".
UNIQUE = ("snow", "mountains", "woods", "moon", "sea")

SEASONS = ("spring", "summer", "autumn", "winter")


def listed(table: str) -> tuple[str, ...]:
    """The entries of a comma-separated table."""
    return tuple(" ".join(entry.split()) for entry in table.split(","))
