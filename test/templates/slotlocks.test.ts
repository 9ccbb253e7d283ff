import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";

/**
 * Plays runs that want random sets of the same cards, on a clock of its own, with the agent's real rules for taking locks and locks that
 * go to whoever asks first. Prints how many attempts ran, and how often a run gave a part of its locks back.
 */
const PLAY = `
import json, random, sys
sys.path.insert(0, sys.argv[1])
from muster_agent.attempts import slot_locks
from muster_agent.attempts.slot import Slot
from muster_agent.locks.partial_hold import PartialHold

class Clock:
    time = 0.0
slot_locks.now = lambda: Clock.time

class Query:
    ending, free_by = None, 0.0

class Lock:
    owners = {}
    retry_at = 0.0
    def __init__(self, run, card):
        self.run, self.card, self.query = run, card, Query()
    def ask(self, time_now):
        assert not self.is_held
    @property
    def is_held(self):
        return Lock.owners.get(self.card) is self.run
    def acquire(self):
        owner = Lock.owners.setdefault(self.card, self.run)
        # Some holders promise to leave, and keep the promise or not.
        is_leaving = owner is not self.run and (Clock.time // 30 + self.card) % 3 == 0
        self.query.ending, self.query.free_by = (7.0, Clock.time + 7.0) if is_leaving else (None, 0.0)
        return owner is self.run
    def release(self):
        if self.is_held:
            del Lock.owners[self.card]
    def holder(self):
        return None
    def is_wanted_by_higher(self):
        return False

class Run:
    def __init__(self, cards, wanted):
        self.locks = object.__new__(slot_locks.SlotLocks)
        self.locks.waiting_for_lock, self.locks.examined_at = [], 0.0
        self.slots = {}
        for card in range(cards):
            slot = self.slots[card] = Slot(card)
            slot.lock = Lock(self, card)
        self.wanted, self.running = wanted, []
    def step(self):
        self.running, ended = [one for one in self.running if one[0] > Clock.time], [one for one in self.running if one[0] <= Clock.time]
        busy = {card for _, cards in self.running for card in cards}
        for _, cards in ended:
            slot_locks.release_locks([self.slots[card] for card in cards])
        for one in list(self.wanted):
            seconds, cards = one
            if busy & set(cards):
                continue
            slots = [self.slots[card] for card in cards]
            if self.locks.may_use_all(slots[0], slots):
                self.wanted.remove(one)
                self.running.append((Clock.time + seconds, cards))
            busy |= set(cards)  # those behind it in the queues of these slots wait

gave_back = 0
must_give_back = PartialHold.must_give_back
def count(hold, time_now, free_by=0.0):
    global gave_back
    result = must_give_back(hold, time_now, free_by)
    gave_back += result
    return result
PartialHold.must_give_back = count

played = 0
for seed in range(int(sys.argv[2])):
    random.seed(seed)
    Clock.time, Lock.owners = 0.0, {}
    cards = random.randint(2, 6)
    runs = [
        Run(cards, [(random.choice([1, 3, 20, 200]), sorted(random.sample(range(cards), random.randint(1, cards)))) for _ in range(random.randint(1, 8))])
        for _ in range(random.randint(2, 4))
    ]
    total = sum(seconds for run in runs for seconds, _ in run.wanted)
    played += sum(len(run.wanted) for run in runs)
    limit = 60 * (total + 60)
    while any(run.wanted or run.running for run in runs):
        random.shuffle(runs)
        for run in runs:
            run.step()
        used = [card for run in runs for _, cards_used in run.running for card in cards_used]
        assert len(used) == len(set(used)), (seed, "a card is in two attempts")
        Clock.time += 0.25
        assert Clock.time < limit, (seed, "no end", [run.wanted for run in runs])
print(json.dumps({"played": played, "gaveBack": gave_back}))
`;

t.test("property: runs that need several cards each never share one, and none of them waits for ever", async (t) => {
  const templates = join(projectRoot(), "templates");
  const output = execFileSync("python3", ["-B", "-c", PLAY, templates, "60"], { encoding: "utf8" });
  const { played, gaveBack } = JSON.parse(output) as { played: number; gaveBack: number };
  t.ok(played > 500, `${played} attempts`);
  t.ok(gaveBack > 0, `parts of their locks were given back ${gaveBack} times`);
});
