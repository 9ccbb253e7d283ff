"""Reads a file that lies beside this one."""
import json
import os

with open(os.path.join(os.path.dirname(__file__), "words.json")) as file:
    WORDS = json.load(file)


def in_words(count: int) -> str:
    return "{} {}".format(count, WORDS["one"] if count == 1 else WORDS["many"])
