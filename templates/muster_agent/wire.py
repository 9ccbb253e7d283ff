"""Words of the protocol, as the bytes that the system wants."""
import json

to_json = json.JSONEncoder(separators=(",", ":")).encode


def raw(text):
    """The bytes of a text of the protocol, whatever the node's locale is."""
    return text.encode("utf-8", "surrogateescape")


def raw_env(env):
    return {raw(name): raw(value) for name, value in env.items()}


def to_line(message):
    return raw(to_json(message)) + b"\n"
