"""Shows or prunes the cache of a node, without an agent."""
from __future__ import annotations

import json
import os
import sys
import time

from ..access.path_access import find_problems
from .entries import BUILDS, CONTENTS, list_entries
from .eviction import default_budget_bytes, evict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .entries import CacheEntry

MAX_SHOWN = 1000  # entries that are shown one by one, the last used first


def run_cache_command(workdir: str, action: str, budget: str) -> None:
    """Prints a line of JSON (executor/run/node/cachereport.ts). `action`: `show`, or `prune` to `budget`, in bytes or `default`."""
    cache = os.path.join(workdir, "cache")
    report: dict[str, Any] = {"folder": cache, "entries": [], "count": 0}
    if os.path.isdir(cache):
        faults = ["{path} {fault}; {fix}".format(**problem) for problem in find_problems(cache, os.geteuid(), exclusive=True)]
        if faults:
            report["problem"] = faults[0]
        else:
            limit = default_budget_bytes(cache) if budget == "default" else int(budget)
            report["limit"] = limit
            if action == "prune":
                eviction = evict(cache, lambda total_bytes: total_bytes <= limit)
                report.update(removed=eviction.removed, removedBytes=eviction.removed_bytes)
            describe(report, list_entries(cache))
    sys.stdout.write(json.dumps({"muster_cache": report}) + "\n")


def describe(report: dict[str, Any], entries: list[CacheEntry]) -> None:
    entries.sort(key=lambda entry: entry.used_at, reverse=True)
    time_now = time.time()
    for kind in (CONTENTS, BUILDS):
        ours = [entry for entry in entries if entry.kind == kind]
        report[kind] = {"count": len(ours), "bytes": sum(entry.size_bytes for entry in ours)}
    report["count"] = len(entries)
    report["usedBytes"] = sum(entry.size_bytes for entry in entries if entry.is_used)
    report["entries"] = [
        {
            "kind": entry.kind, "name": os.path.basename(entry.path), "bytes": entry.size_bytes,
            "age": max(0, int(time_now - entry.used_at)), "used": entry.is_used,
        }
        for entry in entries[:MAX_SHOWN]
    ]  # fmt: skip
    if entries:
        report["oldest"] = max(0, int(time_now - entries[-1].used_at))
