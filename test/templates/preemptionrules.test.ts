import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/**
 * Plays the attempts of chunks on one or two cards, on a clock of its own, with the agent's real rules of preemption, while random
 * runs come, wait for a card and go. Programs save a state now and then, or when they are told to end, or never. Prints what was seen.
 */
const PLAY = `
import json, random, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.attempts.attempt import Attempt
from muster_agent.attempts.preemption import MIN_RUN_SECONDS, Preemption

class Spec:
    grace, state = 5.0, {"every": 600, "limit": 1}

class Waiter:
    def __init__(self, time, priority, name, seconds):
        self.since, self.priority, self.name, self.until = time, priority, name, time + seconds

class Waiters:
    def announce_end(self, seconds):
        pass

class Lock:
    def __init__(self):
        self.waiting, self.waiters = [], Waiters()
    def preemptor(self):
        return max((one for one in self.waiting if one.priority > 0), key=lambda one: one.priority, default=None)

class Slot:
    def __init__(self):
        self.lock, self.sharers, self.current = Lock(), [self], None

class Locks:
    class permits:
        held = []
    def report_waiting(self, slot, holder):
        assert holder["holder"] != ""

class Slots:
    def __init__(self, count):
        self.by_number, self.active, self.locks = [Slot() for _ in range(count)], {}, Locks()
    def slots_of(self, attempt):
        return [self.by_number[number] for number in attempt.slots]

class World:
    """Also the agent's parts that Preemption uses."""
    def __init__(self, cards):
        self.time, self.ended, self.slots = 0.0, [], Slots(cards)
        self.preemption = Preemption(self.slots, self, self, self)
    def send(self, message):
        assert message["ev"] == "preempted" and message["run"] != ""
    def evict(self, attempt):
        attempt.cancelled, attempt.phase = True, "terminating"
        self.ended.append(attempt)
    def hasten(self, attempt, by):
        assert by > self.time and attempt.saves_first
        attempt.state_due = min(attempt.state_due, by)

def state(count):
    return {"name": str(random.random()), "files": [{"path": "w", "sha256": str(count)}]}

seen = {"preempted": 0, "saved": 0, "first": 0, "done": 0}
for seed in range(int(sys.argv[2])):
    random.seed(seed)
    cards = random.randint(1, 2)
    world = World(cards)
    style, need, load = random.choice(["told", "periodic", "never"]), random.randint(5, 120), random.choice([0, 1, 8])
    kept, must_save, before, preempted, states = None, False, None, 0, set()
    limit, done = 3000.0, False
    while not done:
        details = {"slots": list(range(cards))}
        if must_save:
            details["saveFirst"] = True
        attempt = Attempt("a", "c", 0, Spec(), [], details)
        attempt.kept_state, attempt.phase, attempt.began, attempt.state_due = kept, "running", world.time, float("inf")
        progress = int(kept["files"][0]["sha256"]) if kept else 0
        world.slots.active, world.ended = {"a": attempt}, []
        written = None
        while True:
            for slot in world.slots.by_number:
                slot.lock.waiting = [one for one in slot.lock.waiting if one.until > world.time]
                if random.random() < 0.1:
                    slot.lock.waiting.append(Waiter(world.time, random.choice([-1, 0, 3, 7]), random.choice(["", "high"]), random.choice([1, 10, 60])))
            ran = world.time - attempt.began - load
            if style == "periodic" and ran > 0 and int(ran) % 20 == 0:
                written = state(progress + int(ran))
            if world.time >= attempt.state_due and written is not None:
                attempt.saved_state, attempt.state_due = written, float("inf")
            world.preemption.run_checks(world.time)
            assert world.preemption.due() > world.time, (seed, "it would run without a pause")
            if world.ended or ran + progress >= need:
                break
            world.time += 0.25
            assert world.time < limit, (seed, style, need, load, "no end")
        if not world.ended:
            done = True
            seen["done"] += 1
            continue
        assert world.time - attempt.began >= MIN_RUN_SECONDS, (seed, "too early")
        assert attempt.preempted == "high" and any(slot.lock.preemptor() for slot in world.slots.by_number)
        assert not attempt.saves_first or attempt.has_saved(), (seed, "it had to save first")
        seen["first"] += attempt.saves_first
        if style == "told":
            written = state(progress + max(0, int(ran)))
        attempt.saved_state = written
        saved = attempt.has_saved() and attempt.result_message()["preempted"]["saved"]
        assert saved or before is not False, (seed, "twice in a row without a new state")
        if attempt.saved_state is not None:
            kept = attempt.saved_state
        before, must_save = saved, not saved
        states.add(kept["files"][0]["sha256"] if kept else "0")
        preempted += 1
        assert preempted <= 2 * len(states) + 1, (seed, "it gets no further")
        seen["preempted"] += 1
        seen["saved"] += saved
        world.time += 5
print(json.dumps(seen))
`;

t.test(
  "property: of two attempts in a row that are preempted, one brings its chunk further, and every chunk ends",
  async (t) => {
    const templates = join(projectRoot(), "templates");
    const output = execFileSync("python3", ["-B", "-c", PLAY, templates, "300"], { encoding: "utf8" });
    const seen = JSON.parse(output) as { preempted: number; saved: number; first: number; done: number };
    t.equal(seen.done, 300);
    t.ok(seen.saved > 50 && seen.preempted - seen.saved > 20 && seen.first > 5, output);
  },
);
