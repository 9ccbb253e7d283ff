"""What the coordinator's `open` sets, and the values before the first one."""
from __future__ import annotations

import os
from math import inf

from .wire import env_to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .storage.abandonment import Abandonment
    from .wire import Message

UNOPENED_LEASE_SECONDS = 120.0  # of an agent that nobody has opened
DEFAULT_MAX_DATA_BYTES = 4096
DEFAULT_MAX_LOG_BYTES = 1 << 26
MIN_SAMPLE_SECONDS = 1.0


class Settings:
    """One object that every part reads, so that a later `open` changes it for all. `max_data_bytes`: of a file whose content goes
    into a message. `max`: attempts that may run at once, or None. `progress_seconds`: between two messages `progress`, or None: there
    are none. `sample_seconds`: between two samples of the GPUs in use, or None: there are none. `idle_after_seconds`: how long a card
    computes nothing before the coordinator is told."""

    def __init__(self, root: str, abandonment: Abandonment):
        self.root, self.abandonment = root, abandonment
        self.run = os.path.basename(root)
        self.lease_seconds: float = UNOPENED_LEASE_SECONDS
        self.max_data_bytes: int = DEFAULT_MAX_DATA_BYTES
        self.max_log_bytes: int = DEFAULT_MAX_LOG_BYTES
        self.max: int | None = None
        self.progress_seconds: float | None = None
        self.sample_seconds: float | None = None
        self.idle_after_seconds: float = inf
        self.priority: int = 0
        self.base_env: dict[bytes, bytes] = {}
        self.abandonment.write(self.lease_seconds)

    def update(self, message: Message) -> None:
        """Takes the settings of an `open`."""
        self.run = str(message["run"])
        self.lease_seconds, self.max_data_bytes, self.max_log_bytes = message["lease"], message["inline"], message["log"]
        self.abandonment.write(self.lease_seconds)
        self.max, self.priority = message.get("max"), message.get("priority", 0)
        self.progress_seconds = message.get("progress")
        samples = message.get("samples")
        self.sample_seconds = None if samples is None else max(MIN_SAMPLE_SECONDS, samples["every"])
        self.idle_after_seconds = inf if samples is None else samples["idle"]
        self.base_env = {name: value for name, value in os.environb.items() if not name.startswith(b"SSH_")}
        self.base_env.update(env_to_bytes(message["env"]))
        self.base_env[b"MUSTER_ROOT"] = os.fsencode(self.root)
