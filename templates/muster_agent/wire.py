"""Encoding of protocol messages: one JSON object a line (docs/protocol.md)."""
from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

    Message = Dict[str, Any]  # a JSON object of the protocol

MAX_TEXT_CHARS = 2048  # of a text for people

encode_json = json.JSONEncoder(separators=(",", ":")).encode


def to_bytes(text: str) -> bytes:
    """The bytes of a text of the protocol, whatever the locale of the node is."""
    return text.encode("utf-8", "surrogateescape")


def env_to_bytes(env: dict[str, str]) -> dict[bytes, bytes]:
    return {to_bytes(name): to_bytes(value) for name, value in env.items()}


def clip(text: str) -> str:
    """The text, cut to MAX_TEXT_CHARS: the coordinator rejects longer ones."""
    return text if len(text) <= MAX_TEXT_CHARS else text[: MAX_TEXT_CHARS - 3] + "..."


def encode_line(message: Message) -> bytes:
    return to_bytes(encode_json(message)) + b"\n"
