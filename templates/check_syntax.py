"""Finds syntax errors in the Python files that a job is certain to load, with the interpreter that will load them.

Reads a request from stdin: {"entries": [PATH...], "modules": [NAME...], "cwd": FOLDER, "roots": [FOLDER...], "files": {PATH: BASE64}}.
Paths are relative to the top of the working copy. Prints {"version": TEXT, "faults": [[PATH, LINE, COLUMN, MESSAGE, SOURCE LINE]...]}.
"""

import ast
import base64
import json
import posixpath
import sys
from typing import Dict, List, Optional, Sequence, Set, Tuple

# Path, line, column, message, source line.
Fault = Tuple[str, int, int, str, str]

MAX_FAULTS = 3
# Python may have loaded these before the program starts: a file of the project with the same name is not read then.
STANDARD_MODULES = frozenset(getattr(sys, "stdlib_module_names", ())) | set(sys.builtin_module_names) | set(sys.modules)


class Checker:
    def __init__(self, files: Dict[str, str], roots: List[str]) -> None:
        self.files = {path: base64.b64decode(text) for path, text in files.items()}
        self.roots = roots
        self.seen: Set[str] = set()
        self.faults: List[Fault] = []

    def check(self, path: str, first_root: str) -> None:
        """Checks a file, and what its top level imports without a condition."""
        if path in self.seen or path not in self.files:
            return
        self.seen.add(path)
        tree = self.parse(path)
        for node in tree.body if tree is not None else []:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.check_module(alias.name.split("."), first_root)
            elif isinstance(node, ast.ImportFrom):
                self.check_import_from(node, path, first_root)
            elif not is_harmless(node):
                break  # it may change where modules are found, or end the program

    def parse(self, path: str) -> Optional[ast.Module]:
        source = self.files[path]
        if b"\0" in source:
            return None  # a zip archive, say
        try:
            tree = ast.parse(source, path)
            compile(source, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            if "encoding" not in str(error.msg):  # the program may register it
                self.faults.append(describe(path, error))
        except (ValueError, RecursionError, MemoryError, OverflowError):
            pass  # it may still run: this is no verdict about its syntax
        else:
            return tree
        return None

    def check_import_from(self, node: ast.ImportFrom, path: str, first_root: str) -> None:
        names = [alias.name for alias in node.names]
        parts = node.module.split(".") if node.module else []
        if node.level == 0:
            self.check_module(parts, first_root, names)
            return
        folder = posixpath.dirname(path)
        for _ in range(node.level - 1):
            folder = posixpath.dirname(folder)
        self.check_below(folder, parts, names, first_root)

    def check_module(self, parts: List[str], first_root: str, names: Sequence[str] = ()) -> None:
        if parts[0] in STANDARD_MODULES:
            return
        for root in [first_root] + self.roots:
            if self.has_module(root, parts[0]):
                self.check_below(root, parts, names, first_root)
                return

    def check_below(self, folder: str, parts: List[str], names: Sequence[str], first_root: str) -> None:
        for part in parts:
            path = self.find(folder, part)
            if path is not None:
                self.check(path, first_root)
            folder = posixpath.join(folder, part)
        if self.find(posixpath.dirname(folder), posixpath.basename(folder)) is not None:
            return  # the package may define these names itself
        for name in names:
            path = self.find(folder, name)
            if path is not None:
                self.check(path, first_root)

    def has_module(self, folder: str, name: str) -> bool:
        """Whether a folder has a module or package of this name, be it one without __init__.py."""
        inside = posixpath.normpath(posixpath.join(folder, name)) + "/"
        return self.find(folder, name) is not None or any(path.startswith(inside) for path in self.files)

    def find(self, folder: str, name: str) -> Optional[str]:
        """Returns the file of a module or package in a folder; None if there is none."""
        for path in (posixpath.join(folder, name, "__init__.py"), posixpath.join(folder, name + ".py")):
            path = posixpath.normpath(path)
            if path in self.files:
                return path
        return None


def is_harmless(node: ast.stmt) -> bool:
    """Whether a statement has no effect on the imports that follow."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return not node.decorator_list
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)


def describe(path: str, error: SyntaxError) -> Fault:
    message = "{}: {}".format(type(error).__name__, error.msg)
    return path, error.lineno or 1, error.offset or 1, message, (error.text or "").strip()


def main() -> None:
    request = json.load(sys.stdin)
    checker = Checker(request["files"], request["roots"])
    for path in request["entries"]:
        checker.check(path, posixpath.dirname(path))
    for module in request["modules"]:
        checker.check_module(module.split(".") + ["__main__"], request["cwd"])
    version = "{}.{}.{}".format(*sys.version_info)
    print(json.dumps({"version": version, "faults": checker.faults[:MAX_FAULTS]}))


if __name__ == "__main__":
    main()
