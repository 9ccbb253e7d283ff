"""What the coordinator's `open` sets, and what holds before the first one."""
import os

from .wire import raw_env

UNOPENED_LEASE = 120.0  # life of a daemon that nobody has opened, seconds


class Settings:
    """One object that every part looks at: a later `open` changes it for all. `lease` in seconds, `inline` and `log` in bytes."""

    def __init__(self, root, life):
        self.root, self.life = root, life
        self.run = os.path.basename(root)
        self.lease, self.inline, self.log = UNOPENED_LEASE, 4096, 1 << 26
        self.max, self.priority = None, 0
        self.base_env = {}
        self.life.write(self.lease)

    def open(self, message):
        self.run = str(message["run"])
        self.lease, self.inline, self.log = message["lease"], message["inline"], message["log"]
        self.life.write(self.lease)
        self.max, self.priority = message.get("max"), message.get("priority", 0)
        self.base_env = {name: value for name, value in os.environb.items() if not name.startswith(b"SSH_")}
        self.base_env.update(raw_env(message["env"]))
        self.base_env[b"MUSTER_ROOT"] = os.fsencode(self.root)
