"""Which coordinator the run's folder belongs to."""
from __future__ import annotations

import os

from ..errors import describe_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Collection

    from .server import Server

FILE_NAME = "owner"


class Owner:
    """`nonce` of the last coordinator that opened this agent, or None. It is also in a file: an agent that is started in the
    folder of one that was killed belongs to the same coordinator."""

    def __init__(self, root: str, server: Server):
        self.root, self.server = root, server
        self.nonce = read_owner(root)

    def accepts(self, nonces: Collection[str]) -> bool:
        """Whether a coordinator whose journal knows these nonces may continue this run. That of a copy of the run directory may
        not, once the other copy has continued."""
        return self.nonce is None or self.nonce in nonces

    def change(self, nonce: str) -> None:
        """The folder belongs to the coordinator with this nonce from now on."""
        if nonce == self.nonce:
            return
        self.nonce = nonce
        try:
            write_owner(self.root, nonce)
        except OSError as error:
            self.server.report_problem(describe_error(error, "the owner of the run's folder could not be saved"))


def read_owner(root: str) -> str | None:
    try:
        with open(os.path.join(root, FILE_NAME)) as file:
            return file.read().strip() or None
    except OSError:
        return None


def write_owner(root: str, nonce: str) -> None:
    path = os.path.join(root, FILE_NAME)
    with open(path + ".part", "w") as file:
        file.write(nonce + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)
