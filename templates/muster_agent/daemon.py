"""The daemon of one run: one loop, no waiting anywhere in it."""
import os
import selectors
import signal
import socket
from time import monotonic as now

from .cards import Cards
from .cardwatch import CardWatch
from .commands import Commands
from .ending import Ending
from .helper import Helper
from .ledger import Ledger
from .life import Life
from .link import Link
from .logs import SOON, Logs, close_logs
from .memory import Memory
from .owner import Owner
from .processes import Processes
from .reap import Reaper
from .recover import recover
from .results import Results
from .rootwatch import RootWatch
from .scripts import GENTLE, Calls, Scripts
from .settings import Settings
from .shutdown import Shutdown
from .slots import Slots
from .spawn import Spawner
from .store import Store
from .strays import end_predecessors
from .trash import Trash
from .trouble import explain


class Agent:
    """Makes the parts and calls them in turn. Every part is given those that it uses, and owns what it changes."""

    def __init__(self, root, listener):
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        self.next_look = 0.0
        self.selector = selectors.PollSelector()
        self.wakeup = Wakeup(self.selector)
        self.settings = Settings(root, Life(root, boot))
        self.helper = Helper(self.wakeup.wake)
        self.link = Link(self.selector)
        self.slots = Slots(self.selector, self.settings, boot, self.link)
        store = Store(root)
        self.memory = Memory(self.slots, self.link)
        cards = Cards()
        self.spawner = Spawner(self.settings, store, cards)
        self.logs = Logs(self.settings, self.link)
        self.processes = processes = Processes(root, boot)
        self.reaper = Reaper(processes, self.slots)
        self.calls = Calls(self.reaper)
        look = Scripts(self.calls, GENTLE, lambda answers: self.link.send({"ev": "looked", "answers": answers}))
        self.cardwatch = CardWatch(self.selector, cards, self.slots, self.calls, self.link)
        self.rootwatch = RootWatch(root, self.spawner.root_fd)
        self.shutdown = Shutdown(root, self.rootwatch, self.reaper, self.link)
        signal.signal(signal.SIGTERM, self.shutdown.by_signal)
        self.ledger = Ledger(root, self.link)
        self.ending = Ending(self.slots, self.reaper, self.ledger)
        self.results = Results(self.settings, self.ledger, self.logs, self.helper)
        self.trash = Trash(root, self.helper, self.link)
        end_predecessors(root)
        recover(self.ledger, processes)
        commands = Commands(
            boot, self.settings, store, self.link, self.slots, self.ledger, self.ending, self.trash, self.shutdown,
            look, self.memory, cards, self.cardwatch, Owner(root, self.link),
        )
        for folder in self.settings.life.abandoned():
            self.helper.submit(lambda folder=folder: self.settings.life.remove(folder), lambda _: None)
        self.link.listen(listener, commands.refusal, commands.greet, commands.hear)

    def loop(self):
        while not self.shutdown.done:
            for key, mask in self.selector.select(self.patience()):
                key.data(mask)
            self.helper.settle()
            if self.wakeup.woken:
                self.wakeup.woken = False
                self.reaper.reap()
            self.watch_time()
            ended = self.reaper.sweep() if self.reaper.sweeping else []
            if self.is_over(ended):
                break
            for attempt in ended:
                self.cardwatch.used(attempt)
            self.slots.start_ready(self.start, self.memory.admits, self.cardwatch.admits)
            for attempt in ended:
                self.memory.learn(attempt)
            self.results.conclude(ended)
            if not self.ledger.commit(hurry=not self.slots.all_at_work()):
                self.rootwatch.hurry()
            self.link.flush()
            self.trash.empty()

    def is_over(self, ended):
        """Whether the agent has to end. Before attempts that have `ended` are reported: with the run's folder their outputs went,
        and that is no failure of theirs."""
        lost = self.rootwatch.check() if ended else self.rootwatch.watch()
        if lost and not self.shutdown.done:
            self.shutdown.by_lost_root()
        return self.shutdown.done

    def patience(self):
        """Seconds until something is due."""
        if self.trash.attempts:
            return 0
        active = self.slots.active
        due = [attempt.alarm for attempt in active.values() if attempt.alarm is not None]
        if active:
            due.append(self.next_look)
        if self.reaper.sweeping:
            due.append(now() + 0.05)
        due.extend((self.calls.due(), self.cardwatch.due(), self.memory.due(), self.ledger.due(), self.rootwatch.due()))
        due.append(self.link.expiry(self.settings.lease))
        due.extend(self.slots.retries())
        return max(0.0, min(due) - now())

    def watch_time(self):
        time_now = now()
        self.ending.sound_alarms(time_now)
        self.calls.watch(time_now)
        self.cardwatch.watch(time_now)
        if time_now >= self.next_look:
            self.next_look = time_now + self.logs.watch(self.slots.active.values())
        if time_now >= self.memory.due():
            self.relieve(time_now)
        if time_now >= self.link.expiry(self.settings.lease):
            self.shutdown.by_lease()

    def relieve(self, time_now):
        """Ends the youngest attempt before the kernel ends any."""
        attempt = self.memory.watch(time_now)
        if attempt:
            message = "its memory runs out: chunk {} on slot {}, the youngest, goes back to the queue"
            self.link.problem(message.format(attempt.chunk, attempt.slot))
            self.ending.evict(attempt)

    def start(self, slot, attempt):
        attempt.process = self.processes.not_started()
        self.ledger.launching.add(attempt)
        try:
            self.spawner.spawn(slot, attempt)
        except (OSError, ValueError, UnicodeError) as error:
            close_logs(attempt)
            if self.rootwatch.check():
                return self.rootwatch.hurry()  # no fault of the chunk
            return self.ledger.fail(attempt, explain(error, self.spawner.doing))
        attempt.began = now()
        self.next_look = min(self.next_look, attempt.began + SOON)
        attempt.phase = "running"
        attempt.process = self.processes.identify(attempt.pid)
        if attempt.spec.timeout is not None:
            attempt.alarm = attempt.began + attempt.spec.timeout
        self.slots.occupy(slot, attempt)
        self.memory.started(attempt)
        self.reaper.watch(attempt)
        self.ledger.started(attempt)


class Wakeup:
    """What ends the loop's wait: a child that ended, or the helper. `woken` at first, for children of before."""

    def __init__(self, selector):
        self.woken = True
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self.writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        selector.register(self.reader, selectors.EVENT_READ, self.hear)

    def hear(self, _):
        os.read(self.reader, 4096)
        self.woken = True

    def wake(self):
        os.write(self.writer, b"\0")


def serve(root, told):
    """Listens, says so to the descriptor `told`, and never returns."""
    if os.path.lexists("agent.sock"):
        os.unlink("agent.sock")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    usual = os.umask(0o177)  # the socket's mode; there are no other threads yet
    listener.bind("agent.sock")
    os.umask(usual)
    agent = Agent(root, listener)
    listener.listen(8)
    listener.setblocking(False)
    os.write(told, b"1")
    os.close(told)
    try:
        agent.loop()
    except BaseException:
        agent.reaper.kill_everything()
        raise
    agent.slots.release_all()
    os._exit(0)
