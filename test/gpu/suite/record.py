"""The file for what the suite printed, and for all that tools and muster said of the cards, raw."""

import os
import platform
import time
from typing import Dict, List


class Record:
    """OSError where the file cannot be written: better before the checks than after them."""

    def __init__(self, path: str):
        self.path = os.path.abspath(path)
        self.lines: List[str] = ["{}, {}, Python {}".format(time.strftime("%Y-%m-%d %H:%M:%S %z"), platform.platform(), platform.python_version())]
        with open(self.path, "a"):
            pass

    def say(self, line: str) -> None:
        """Prints a line and keeps it. A terminal that is gone (SIGHUP) does not matter."""
        self.lines.append(line)
        try:
            print(line, flush=True)
        except OSError:
            pass

    def write(self, said: Dict[str, str]) -> None:
        """`said`: what each command printed."""
        with open(self.path, "w") as file:
            file.write("\n".join(self.lines) + "\n")
            for command, text in said.items():
                file.write("$ {}\n{}\n".format(command, text.rstrip()))
