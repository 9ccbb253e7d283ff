"""Answers questions about a node, all of them at once, as one JSON line on stdout. Python 3.8+, standard library only.

Sent on stdin by a loader that sets SOURCE (this text), MODULES (modules.py), ACCESS (muster_agent/access.py) and QUESTIONS (JSON,
see playbooks/engine/resource.ts);
nothing is stored on the node and nothing is changed. Questions that need root are answered by one `sudo -n` child where the user is not root.
"""
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

BLOCK = 1 << 20
OUTPUT_CAP = 1 << 20
MOST_ENTRIES = 100000
TREE_CONTENT = 16 << 20  # bytes of content of one tree
ROOT_SECONDS = 60
MODULES_SECONDS = 60


def home():
    """The home of the user who logged in, also where sudo made this root."""
    uid = os.environ.get("SUDO_UID")
    if uid and uid.isdigit() and os.geteuid() == 0:
        try:
            return pwd.getpwuid(int(uid)).pw_dir
        except KeyError:
            pass
    return os.path.expanduser("~")


def expand(path):
    return home() + path[1:] if path == "~" or path.startswith("~/") else path


def reason(error):
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


def name_of(look_up, number):
    try:
        return look_up(number)[0]
    except KeyError:
        return str(number)


def file_state(path, cap):
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"kind": "missing"}
    except (OSError, ValueError) as error:
        return {"kind": "missing", "error": reason(error)}
    state = {
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
            read_into(state, path, cap)
    except OSError as error:
        state["error"] = reason(error)
    return state


def kind_of(mode):
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def read_into(state, path, cap):
    """Files under /sys say another size than they have: what was read counts."""
    digest, kept, size = hashlib.sha256(), [], 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        while True:
            part = os.read(descriptor, BLOCK)
            if not part:
                break
            digest.update(part)
            size += len(part)
            if size <= cap:
                kept.append(part)
    finally:
        os.close(descriptor)
    state["size"] = size
    state["sha256"] = digest.hexdigest()
    if size <= cap:
        state["content"] = base64.b64encode(b"".join(kept)).decode()


def tree_state(root, cap):
    """Everything below `root` by relative path, and `root` itself as "."; links are not followed."""
    budget = TREE_CONTENT
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
            if len(answer) > MOST_ENTRIES:
                answer["."]["error"] = "more than {} entries".format(MOST_ENTRIES)
                return answer
            answer[path] = file_state(os.path.join(root, path), min(cap, budget))
            budget -= len(answer[path].get("content", ""))
            if answer[path]["kind"] == "folder":
                folders.append(path)
    return answer


def run(argv, seconds, stdin=b""):
    """A program in its own process group, which is gone afterwards. Never raises for what it does."""
    try:
        child = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, cwd=home()
        )
    except (OSError, ValueError) as error:
        return {"exit": None, "stdout": "", "stderr": "", "error": "cannot be started: " + reason(error)}
    late = False
    try:
        out, err = child.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        late, out, err = True, b"", b""
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except OSError:
            pass
    state = {"exit": None if late else child.returncode, "stdout": out, "stderr": err}
    if late:
        state["error"] = "no answer within {} s".format(seconds)
    return state


def text(state):
    """The output of a program as text, capped."""
    for stream in ("stdout", "stderr"):
        if isinstance(state[stream], bytes):
            state[stream] = state[stream][:OUTPUT_CAP].decode("utf-8", "replace")
    return state


def modules_state(python, modules):
    state = text(run([expand(python), "-c", MODULES.decode()] + modules, MODULES_SECONDS))
    for line in reversed(state["stdout"].splitlines()):
        if line.startswith("muster-modules "):
            return json.loads(line.split(" ", 1)[1])
    last = (state["stderr"].strip().splitlines() or ["exit {}".format(state["exit"])])[-1]
    return {"python": None, "modules": {}, "error": state.get("error") or last[:300]}


def space_state(path):
    fields = {}
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


def access_state(path, exclusive):
    """Who else could replace or change what lies at a path, from the view of whoever asks."""
    access = {}
    exec(compile(ACCESS, "access.py", "exec"), access)
    state = {"uid": os.geteuid(), "problems": []}
    try:
        state["problems"] = access["find_problems"](path, os.geteuid(), exclusive)
    except OSError as error:
        state["error"] = reason(error)
    return state


def answer(question):
    ask = question["ask"]
    if ask == "access":
        return access_state(expand(question["path"]), question.get("exclusive", False))
    if ask == "file":
        return file_state(expand(question["path"]), question["cap"])
    if ask == "tree":
        return tree_state(expand(question["path"]), question.get("cap", -1))
    if ask == "space":
        return space_state(expand(question["path"]))
    if ask == "modules":
        return modules_state(question["python"], question["modules"])
    argv = question["argv"]
    return text(run([expand(argv[0])] + argv[1:], question["timeout"]))


def answer_all(questions):
    """Programs run side by side, since one that hangs must not make the others late."""
    answers = [None] * len(questions)

    def one(index):
        try:
            answers[index] = answer(questions[index])
        except Exception as error:  # one question must not hide the others
            answers[index] = {"failed": "{}: {}".format(type(error).__name__, error)}

    slow = [index for index, question in enumerate(questions) if question["ask"] in ("command", "modules")]
    threads = [threading.Thread(target=one, args=(index,), daemon=True) for index in slow]
    for thread in threads:
        thread.start()
    for index in range(len(questions)):
        if index not in slow:
            one(index)
    for index, thread in zip(slow, threads):
        thread.join(questions[index].get("timeout", MODULES_SECONDS) + 5)
    return [{"failed": "its program cannot be killed"} if one is None else one for one in answers]


def loader(questions):
    """This program again, with other questions."""
    texts = {"SOURCE": SOURCE, "MODULES": MODULES, "ACCESS": ACCESS, "QUESTIONS": json.dumps(questions).encode()}
    return LOADER.format({name: base64.b64encode(text).decode() for name, text in texts.items()}).encode()


def as_root(questions):
    seconds = ROOT_SECONDS + max(question.get("timeout", 0) for question in questions)
    plain = [dict(question, become=False) for question in questions]
    state = run(["sudo", "-n", "--", sys.executable, "-"], seconds, loader(plain))
    if isinstance(state["stdout"], bytes):
        for line in reversed(state["stdout"].decode("utf-8", "replace").splitlines()):
            if line.startswith('{"muster_probe": 1,'):
                return json.loads(line)["answers"]
    said = text(state)["stderr"].strip().splitlines()
    why = state.get("error") or (said[-1] if said else "exit {}".format(state["exit"]))
    return [{"sudo": why[:300]}] * len(questions)


def main():
    questions = json.loads(QUESTIONS)
    rooted = [i for i, question in enumerate(questions) if question.get("become") and os.geteuid() != 0]
    own = [i for i in range(len(questions)) if i not in rooted]
    answers = [None] * len(questions)
    jobs = [(own, answer_all)] + ([(rooted, as_root)] if rooted else [])
    threads = []
    for indices, job in jobs:

        def work(indices=indices, job=job):
            for index, one in zip(indices, job([questions[index] for index in indices])):
                answers[index] = one

        threads.append(threading.Thread(target=work))
        threads[-1].start()
    for thread in threads:
        thread.join()
    sys.stdout.write("\n" + json.dumps({"muster_probe": 1, "answers": answers}) + "\n")
    sys.stdout.flush()
    os._exit(0)  # a program's reader thread may still hang


LOADER = """import base64
names = {{name: base64.b64decode(text) for name, text in {}.items()}}
names["__name__"] = "muster"
exec(compile(names["SOURCE"], "probe.py", "exec"), names)
names["main"]()
"""
