"""Makes environments, switches to them, and removes old ones."""
from __future__ import annotations

import fcntl
import json
import os
import signal

from .environment import MARKER, Environment, check_packages, read_marker
from .failure import Failure
from .files import is_in_use, remove_tree, sync_folder, write_durably
from .installer import Installer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

LOCK_SECONDS = 60


class Builder:
    """Makes what a request describes, while it holds the lock."""

    def __init__(self, environment: Environment) -> None:
        self.environment, self.request = environment, environment.request
        os.makedirs(environment.parent, exist_ok=True)
        self.installer = Installer(environment)

    def watch_stdin(self) -> None:
        """Ends the build with the coordinator that asked for it."""
        while os.read(0, 4096):
            pass
        self.installer.abandon()

    def lock(self) -> int:
        """Waits for the lock, and returns its descriptor. HELD where that takes too long."""

        def give_up(*_: object) -> NoReturn:
            raise Failure("HELD", "another build of this environment is still running there after {} s".format(LOCK_SECONDS))

        descriptor = os.open(self.environment.beside(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        signal.signal(signal.SIGALRM, give_up)
        signal.alarm(LOCK_SECONDS)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        signal.alarm(0)
        return descriptor

    def build(self) -> dict[str, Any]:
        environment, base = self.environment, self.environment.base
        if base is not None and base.error:
            raise Failure("NO_PYTHON", "{} cannot be used: {}".format(self.request["python"], base.error))
        self.installer.lock_descriptor = self.lock()
        before = environment.current()
        if before is None and os.path.lexists(environment.at):
            raise Failure("REFUSED", "{} is there, and muster did not make it".format(environment.at))
        self.remove_partial(before)
        folder = self.find_folder()
        if read_marker(folder) is None:
            self.make(folder)
        self.switch(folder)
        self.prune({folder, before})
        return {"folder": folder}

    def find_folder(self) -> str:
        """An environment of this content that is in order, else the first free path."""
        for number in range(1, 1000):
            folder = self.environment.beside("-" + self.environment.digest + ("-{}".format(number) if number > 1 else ""))
            if not os.path.lexists(folder):
                return folder
            marker = read_marker(folder)
            if marker is None or marker.get("digest") != self.environment.digest:
                continue
            if not check_packages(folder, self.request).get("problems", ["broken"]):
                return folder
        raise Failure("REFUSED", "{} has too many environments of {}".format(self.environment.parent, self.environment.name))

    def make(self, folder: str) -> None:
        partial = folder + ".partial"
        write_durably(partial, "")
        try:
            tool = self.installer.install(folder)
            checked = check_packages(folder, self.request)
            problems = ["{what}: {have}, wanted {want}".format(**problem) for problem in checked.get("problems", [])]
            if "broken" in checked or problems:
                reason = checked.get("broken") or "; ".join(problems[:3])
                raise Failure("INSTALL", "{} succeeded, but the environment is not as required: {}".format(tool, reason))
            base = self.environment.base
            marker = {"muster_env": 1, "key": self.request["key"], "digest": self.environment.digest, "tool": tool}
            marker.update({"python": base.version, "base": base.path} if base else {})
            write_durably(os.path.join(folder, MARKER), json.dumps(marker) + "\n")
        except BaseException:
            remove_tree(folder)
            os.unlink(partial)
            raise
        os.unlink(partial)

    def switch(self, folder: str) -> None:
        temporary = self.environment.beside(".link")
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(os.path.basename(folder), temporary)
        os.replace(temporary, self.environment.at)
        sync_folder(self.environment.parent)

    def siblings(self, ending: str) -> list[str]:
        names = [name for name in os.listdir(self.environment.parent) if name.endswith(ending)]
        names = [name[: len(name) - len(ending)] for name in names]
        return [os.path.join(self.environment.parent, name) for name in names if self.environment.pattern.fullmatch(name)]

    def remove_partial(self, current: str | None) -> None:
        """Removes what a builder that was killed has left."""
        for folder in self.siblings(".partial"):
            if folder != current and read_marker(folder) is None:
                remove_tree(folder)
            os.unlink(folder + ".partial")

    def prune(self, kept: set[str | None]) -> None:
        """Removes environments that this program made, except those of `kept` and of running processes."""
        for folder in self.siblings(""):
            if folder in kept or read_marker(folder) is None or is_in_use(folder):
                continue
            write_durably(folder + ".partial", "")
            os.unlink(os.path.join(folder, MARKER))
            remove_tree(folder)
            os.unlink(folder + ".partial")
