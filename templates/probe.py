"""Answers questions about a node as one JSON line. Python 3.8+, standard library only.

A loader on stdin (LOADER, see nodeprograms.ts) sets SOURCE (this text), MODULES (python_modules.py), ACCESS
(muster_agent/access/path_access.py) and QUESTIONS (JSON, see playbooks/engine/resource.ts). Nothing is stored on the node, and nothing is changed. Where the user is not root, one
`sudo -n` child answers the questions that need root.
"""
from __future__ import annotations

import base64
import grp
import hashlib
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict

    Question = Dict[str, Any]
    Answer = Dict[str, Any]

LOADER: bytes
SOURCE: bytes
MODULES: bytes
ACCESS: bytes
QUESTIONS: bytes

BLOCK_BYTES = 1 << 20
MAX_OUTPUT_BYTES = 1 << 20
MAX_TREE_ENTRIES = 100000
MAX_TREE_CONTENT_BYTES = 16 << 20  # in one answer
ROOT_TIMEOUT_SECONDS = 60
MODULES_TIMEOUT_SECONDS = 60
JOIN_SECONDS = 5  # for a thread, beyond the timeout of its program


def home() -> str:
    """The home of the user who logged in, also where sudo made this root."""
    uid = os.environ.get("SUDO_UID")
    if uid and uid.isdigit() and os.geteuid() == 0:
        try:
            return pwd.getpwuid(int(uid)).pw_dir
        except KeyError:
            pass
    return os.path.expanduser("~")


def expand(path: str) -> str:
    return home() + path[1:] if path == "~" or path.startswith("~/") else path


def reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def name_of(find_entry: Callable[[int], Any], number: int) -> str:
    try:
        return find_entry(number)[0]
    except KeyError:
        return str(number)


def file_state(path: str, max_content_bytes: int, known: str | None = None) -> Answer:
    """What lies at `path`. It has the content of a file that is not larger than `max_content_bytes` and has another SHA-256 than `known`."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"kind": "missing"}
    except (OSError, ValueError) as error:
        return {"kind": "missing", "error": reason(error)}
    state: Answer = {
        "kind": kind_of(status.st_mode),
        "mode": stat.S_IMODE(status.st_mode),
        "uid": status.st_uid,
        "owner": name_of(pwd.getpwuid, status.st_uid),
        "group": name_of(grp.getgrgid, status.st_gid),
        "size": status.st_size,
    }
    try:
        if state["kind"] == "link":
            state["target"] = os.readlink(path)
        elif state["kind"] == "file":
            read_content(state, path, max_content_bytes, known)
    except OSError as error:
        state["error"] = reason(error)
    return state


def kind_of(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def read_content(state: Answer, path: str, max_content_bytes: int, known: str | None) -> None:
    """Sets size, hash and content. The size is what was read: stat() shows another one for files under /sys."""
    digest, size = hashlib.sha256(), 0
    kept: list[bytes] = []
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            part = os.read(descriptor, BLOCK_BYTES)
            if not part:
                break
            digest.update(part)
            size += len(part)
            if size <= max_content_bytes:
                kept.append(part)
    finally:
        os.close(descriptor)
    state["size"] = size
    state["sha256"] = digest.hexdigest()
    if size <= max_content_bytes and state["sha256"] != known:
        state["content"] = base64.b64encode(b"".join(kept)).decode()


def tree_state(root: str, max_content_bytes: int, known: Dict[str, str]) -> Answer:
    """Everything below `root` by relative path, and `root` itself as "."; links are not followed. `known`: hashes of files whose
    content is not needed."""
    budget_bytes = MAX_TREE_CONTENT_BYTES
    answer = {".": file_state(root, -1)}
    folders = [""] if answer["."]["kind"] == "folder" else []
    while folders:
        folder = folders.pop()
        try:
            names = sorted(os.listdir(os.path.join(root, folder)))
        except OSError as error:
            answer[folder or "."]["error"] = reason(error)
            continue
        for name in names:
            path = os.path.join(folder, name)
            if len(answer) > MAX_TREE_ENTRIES:
                answer["."]["error"] = "more than {} entries".format(MAX_TREE_ENTRIES)
                return answer
            answer[path] = file_state(os.path.join(root, path), min(max_content_bytes, budget_bytes), known.get(path))
            budget_bytes -= len(answer[path].get("content", ""))
            if answer[path]["kind"] == "folder":
                folders.append(path)
    return answer


def run(argv: list[str], timeout_seconds: float, stdin: bytes = b"") -> Answer:
    """Runs a program in a process group of its own, which is killed afterwards. stdout and stderr are bytes, or empty texts where
    the program could not be started. Its failure is in the answer; nothing is raised."""
    try:
        child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=home()
        )
    except (OSError, ValueError) as error:
        return {"exit": None, "stdout": "", "stderr": "", "error": "cannot be started: " + reason(error)}
    is_late = False
    try:
        out, err = child.communicate(stdin, timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        is_late, out, err = True, b"", b""
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            pass
    state: Answer = {"exit": None if is_late else child.returncode, "stdout": out, "stderr": err}
    if is_late:
        state["error"] = "no answer within {:g} s; killed".format(timeout_seconds)
    return state


def decode(state: Answer) -> Answer:
    """Turns the output of a program into text, and cuts it to MAX_OUTPUT_BYTES."""
    for stream in ("stdout", "stderr"):
        if isinstance(state[stream], bytes):
            state[stream] = state[stream][:MAX_OUTPUT_BYTES].decode("utf-8", "replace")
    return state


def modules_state(python: str, modules: list[str]) -> Answer:
    state = decode(run([expand(python), "-c", MODULES.decode()] + modules, MODULES_TIMEOUT_SECONDS))
    for line in reversed(state["stdout"].splitlines()):
        if line.startswith("muster-modules "):
            return json.loads(line.split(" ", 1)[1])
    last = (state["stderr"].strip().splitlines() or ["exit {}".format(state["exit"])])[-1]
    return {"python": None, "modules": {}, "error": state.get("error") or last[:300]}


def space_state(path: str) -> Answer:
    """Bytes that are free in the file system of `path` or of the nearest folder above it, and MemAvailable."""
    fields: dict[str, str] = {}
    try:
        with open("/proc/meminfo") as lines:
            fields = dict(line.split(":", 1) for line in lines if ":" in line)
    except OSError:
        pass
    available = int(fields.get("MemAvailable", "0 kB").split()[0]) << 10
    while not os.path.isdir(path) and path != "/":
        path = os.path.dirname(path) or "/"
    try:
        status = os.statvfs(path)
    except OSError as error:
        return {"free": 0, "available": available, "error": reason(error)}
    return {"free": status.f_bavail * status.f_frsize, "available": available}


def access_state(path: str, exclusive: bool) -> Answer:
    """Which other users could replace or change what lies at a path, as seen by the user of this process."""
    access: dict[str, Any] = {}
    exec(compile(ACCESS, "path_access.py", "exec"), access)
    state: Answer = {"uid": os.geteuid(), "problems": []}
    try:
        state["problems"] = access["find_problems"](path, os.geteuid(), exclusive)
    except OSError as error:
        state["error"] = reason(error)
    return state


def answer(question: Question) -> Answer:
    ask = question["ask"]
    if ask == "access":
        return access_state(expand(question["path"]), question.get("exclusive", False))
    if ask == "file":
        return file_state(expand(question["path"]), question["cap"], question.get("known"))
    if ask == "tree":
        return tree_state(expand(question["path"]), question.get("cap", -1), question.get("known", {}))
    if ask == "space":
        return space_state(expand(question["path"]))
    if ask == "modules":
        return modules_state(question["python"], question["modules"])
    argv = question["argv"]
    return decode(run([expand(argv[0])] + argv[1:], question["timeout"]))


def answer_all(questions: list[Question]) -> list[Answer]:
    """Programs run side by side: one that hangs must not delay the others."""
    answers: list[Answer | None] = [None] * len(questions)

    def one(index: int) -> None:
        try:
            answers[index] = answer(questions[index])
        except Exception as error:  # one question must not affect the others
            answers[index] = {"failed": "{}: {}".format(type(error).__name__, error)}

    slow = [index for index, question in enumerate(questions) if question["ask"] in ("command", "modules")]
    threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in slow]
    for thread in threads:
        thread.start()
    for index in sorted(set(range(len(questions))) - set(slow)):
        one(index)
    for index, thread in zip(slow, threads):
        thread.join(questions[index].get("timeout", MODULES_TIMEOUT_SECONDS) + JOIN_SECONDS)
    return [{"failed": "its program cannot be killed"} if one is None else one for one in answers]


def make_loader(questions: list[Question]) -> bytes:
    """The stdin of a Python that runs this program with other questions."""
    texts = {"LOADER": LOADER, "SOURCE": SOURCE, "MODULES": MODULES, "ACCESS": ACCESS}
    texts["QUESTIONS"] = json.dumps(questions).encode()
    packed = {name: base64.b64encode(text).decode() for name, text in texts.items()}
    return LOADER.replace(b"TEXTS", json.dumps(packed).encode(), 1)


def answer_as_root(questions: list[Question]) -> list[Answer]:
    """The answers of a child that sudo starts. Where sudo refuses, each is {"sudo": reason}."""
    timeout_seconds = ROOT_TIMEOUT_SECONDS + max(question.get("timeout", 0) for question in questions)
    plain = [dict(question, become=False) for question in questions]
    state = run(["sudo", "-n", "--", sys.executable, "-"], timeout_seconds, make_loader(plain))
    if isinstance(state["stdout"], bytes):
        for line in reversed(state["stdout"].decode("utf-8", "replace").splitlines()):
            if line.startswith('{"muster_probe": 1,'):
                return json.loads(line)["answers"]
    lines = decode(state)["stderr"].strip().splitlines()
    refusal = state.get("error") or (lines[-1] if lines else "exit {}".format(state["exit"]))
    return [{"sudo": refusal[:300]}] * len(questions)


def main() -> None:
    questions: list[Question] = json.loads(QUESTIONS)
    need_root = [i for i, question in enumerate(questions) if question.get("become") and os.geteuid() != 0]
    others = [i for i in range(len(questions)) if i not in need_root]
    answers: list[Answer | None] = [None] * len(questions)

    def work(indices: list[int], find_answers: Callable[[list[Question]], list[Answer]]) -> None:
        for index, one in zip(indices, find_answers([questions[index] for index in indices])):
            answers[index] = one

    threads = [threading.Thread(target=work, args=(others, answer_all))]
    if need_root:
        threads.append(threading.Thread(target=work, args=(need_root, answer_as_root)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write("\n" + json.dumps({"muster_probe": 1, "answers": answers}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a thread may still wait for a program that hangs
