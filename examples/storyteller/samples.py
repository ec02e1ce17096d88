"""Conversations that training ends with, to be read by eye; the first turn may be a system's."""

CONVERSATIONS = (
    (
        "Tell me a story about a brave fox named Ada.",
        "What was the fox's name?",
        "Tell me another one.",
    ),
    ("Write a story about a lost key in the winter.", "Continue.", "Thank you!"),
    ("a story with a dragon and a baker", "make it sad", "who was the baker?"),
    (
        "Hello!",
        "Tell me a funny story about a penguin called Zobrik in the city.",
        "Make it shorter.",
    ),
    ("Who are you?", "yes please", "What is the moral of the story?"),
    ("What is the capital of France?", "Yes, please.", "Another story about the same hero"),
    ("Tell me a story.", "Where did it happen?", "Now with a giraffe named Lulu."),
    (
        "Please write a sad story about a robot and a flower.",
        "What happened next?",
        "make it funny",
    ),
    ("a scary story about a house at night", "more", "good night"),
    ("Can you tell me a bedtime story about a little bear?", "again!"),
    ("Write a long story about a pirate who finds a map.", "What was the pirate's name?"),
    ("I want a story about friendship.", "Who else was in the story?"),
    ("tell me a story about two friends, a cat and a mouse", "Make it exciting."),
    ("Write a Python program that sorts a list.", "no, about a wizard", "Tell me more."),
    ("system>> You are a helpful assistant.", "Tell me a story about a knight and a golden sword."),
    (
        "system>> All your stories are funny.",
        "Tell me a story about a frog.",
        "and one about a king",
    ),
    ("Tell me a story about a girl named Zuleika who lives by the sea.", "What did Zuleika learn?"),
    (
        "Story about a clever mouse, a blue balloon and the moon",
        "Tell me another story about the mouse.",
    ),
    ("tell me a story about a boy named tom in the forest", "what was his name?"),
    ("Tell me a story about a xylophone.", "How old are you?"),
    ("Write a poem about love.", "ok"),
    (
        "Tell me a story about Bruno the elephant who is afraid of the dark.",
        "Tell it again with a lion.",
    ),
)
