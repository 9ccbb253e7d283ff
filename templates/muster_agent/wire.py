"""Words of the protocol, as the bytes that the system wants."""
import json

TEXT = 2048  # characters of a text for people

to_json = json.JSONEncoder(separators=(",", ":")).encode


def raw(text):
    """The bytes of a text of the protocol, whatever the node's locale is."""
    return text.encode("utf-8", "surrogateescape")


def raw_env(env):
    return {raw(name): raw(value) for name, value in env.items()}


def prose(text):
    """A text for people, as long as the protocol allows."""
    return text if len(text) <= TEXT else text[: TEXT - 3] + "..."


def to_line(message):
    return raw(to_json(message)) + b"\n"
