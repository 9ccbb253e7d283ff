"""Compares what is installed for a Python interpreter with requirements. For any Python 3.8+.

    PYTHON -I -c THIS      stdin: JSON, {"wanted": [...], "project": ...}    stdout: a line "muster-packages {...}"

`problems`: what is missing or has another version. Requirements are followed to those of the packages themselves, and every file of
a package must exist. `unchecked`: what was compared by name only.
"""
from __future__ import annotations

import glob
import importlib
import importlib.metadata as metadata
import json
import os
import re
import sys
import urllib.parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VENDORED = ["pip._vendor.packaging", "packaging", "setuptools._vendor.packaging", "setuptools.extern.packaging"]
EXACT = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*===?\s*([A-Za-z0-9.!+_-]+)\s*$"
NAME = r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)"


def normalize(name: str) -> str:
    """The name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def import_packaging() -> Any:
    """The module `requirements` of the package packaging, which pip brings along; None where there is none."""
    for package in VENDORED:
        try:
            return importlib.import_module(package + ".requirements")
        except ImportError:
            pass
    # An environment that uv made has no pip, but the interpreter's own installer may hold one.
    try:
        folders = [os.path.join(os.path.dirname(str(importlib.import_module("ensurepip").__file__)), "_bundled")]
    except ImportError:
        folders = []
    for wheel in [path for folder in folders + ["/usr/share/python-wheels"] for path in glob.glob(folder + "/pip-*.whl")]:
        sys.path.append(wheel)
        try:
            return importlib.import_module("pip._vendor.packaging.requirements")
        except ImportError:
            sys.path.remove(wheel)
    return None


def installed() -> dict[str, metadata.Distribution]:
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normalize(name), distribution)
    return found


class Comparison:
    def __init__(self) -> None:
        self.installed = installed()
        self.packaging = import_packaging()
        self.problems: list[dict[str, str]] = []
        self.unchecked: list[str] = []
        self.seen: set[tuple[str, str]] = set()

    def report(self, what: str, have: str, want: str) -> None:
        problem = {"what": what, "have": have, "want": want}
        if problem not in self.problems:
            self.problems.append(problem)

    def check(self, text: str, extras: tuple[str, ...], owner: str | None) -> None:
        """`extras`: of the package `owner` that requires it, for its markers."""
        if self.packaging is None:
            return self.check_without_packaging(text)
        try:
            wanted = self.packaging.Requirement(text)
        except Exception:
            return self.unchecked.append(text)
        if wanted.marker is not None and not any(wanted.marker.evaluate({"extra": extra}) for extra in extras or ("",)):
            return
        want = "{}{}".format(wanted.specifier or "installed", " (for {})".format(owner) if owner else "")
        have = self.installed.get(normalize(wanted.name))
        if have is None:
            return self.report(wanted.name, "not installed", want)
        if wanted.url:
            self.unchecked.append(text)
        elif not wanted.specifier.contains(have.version, prereleases=True):
            return self.report(wanted.name, have.version, want)
        self.check_package(have, wanted.name, tuple(sorted(wanted.extras)))

    def check_project(self) -> None:
        """The project is what was installed from the copy in the environment (PEP 610)."""
        url = "file://" + urllib.parse.quote(os.path.join(sys.prefix, "project"))
        for name, have in self.installed.items():
            try:
                if json.loads(have.read_text("direct_url.json") or "{}").get("url") == url:
                    return self.check_package(have, name, ())
            except ValueError:
                pass
        self.report("the project", "not installed", "installed from its copy")

    def check_package(self, have: metadata.Distribution, name: str, extras: tuple[str, ...]) -> None:
        first = not any(seen == normalize(name) for seen, _ in self.seen)
        key = (normalize(name), ",".join(extras))
        if key in self.seen:
            return
        self.seen.add(key)
        if first:
            self.check_files(have, name)
        for requirement in have.requires or []:
            self.check(requirement, ("",) + extras, name)

    def check_files(self, have: metadata.Distribution, name: str) -> None:
        """Bytecode may be deleted; sizes are not compared, because packages overwrite files of one another."""
        names = [str(file) for file in have.files or [] if not str(file).endswith(".pyc")]
        missing = [name for name in names if not os.path.lexists(str(have.locate_file(name)))]
        if missing:
            more = " and {} more".format(len(missing) - 1) if len(missing) > 1 else ""
            self.report(name, "{} without {}{}".format(have.version, missing[0], more), "all of its files")

    def check_without_packaging(self, text: str) -> None:
        """Compares exact versions as texts, and otherwise only whether the package is there."""
        exact = re.match(EXACT, text)
        name = re.match(NAME, text)
        if name is None or ";" in text:
            return self.unchecked.append(text)
        have = self.installed.get(normalize(name.group(1)))
        if have is None:
            self.report(name.group(1), "not installed", "installed")
        elif exact is None:
            self.unchecked.append(text)
        elif have.version != exact.group(2):
            self.report(name.group(1), have.version, "==" + exact.group(2))


def main() -> None:
    comparison = Comparison()
    request = json.load(sys.stdin)
    for text in request["wanted"]:
        comparison.check(text, (), None)
    if request["project"]:
        comparison.check_project()
    answer = {"problems": comparison.problems[:200], "unchecked": comparison.unchecked[:200]}
    print("\nmuster-packages " + json.dumps(answer))


main()
