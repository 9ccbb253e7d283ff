import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { AttemptLauncher, type StartingAttachment } from "../../../../executor/run/node/attemptlauncher.js";
import type { NodeEvent } from "../../../../executor/run/node/nodeevent.js";
import type { Attempt } from "../../../../executor/schedule/events.js";
import type { Node } from "../../../../fleet/node.js";

const JOB = {} as Job;
const NODE = {
  profile: { name: "rx6600", limits: { sample_size: { best: 450, max: 1000 }, depth: { best: 3 } } },
} as unknown as Node;

/** A launcher, and an attachment where files arrive, or fail to, when `settle` is called. */
function prepare() {
  const sent: string[] = [];
  const events: NodeEvent[] = [];
  const waiting: ((error?: Error) => void)[] = [];
  const attachment: StartingAttachment = {
    root: "/run",
    files: () => Promise.reject(new Error("no test reads files")),
    stageFiles: () =>
      new Promise<void>((resolve, reject) => waiting.push((error) => (error ? reject(error) : resolve()))),
    sendStart: (_job, { id }) => void sent.push(id),
  };
  const launcher = new AttemptLauncher(JOB, NODE, (event) => events.push(event));
  const start = (id: string, params?: Record<string, string | number>) =>
    launcher.start(attachment, { id, chunk: { spec: {}, params }, slot: 0 } as Attempt);
  const settle = async (error?: Error) => {
    for (const one of waiting.splice(0)) one(error);
    await nextTurn();
  };
  return { sent, events, launcher, start, settle };
}

t.test("an attempt starts when its files are there", async (t) => {
  const { sent, events, start, settle } = prepare();
  start("a");
  t.same(sent, []);
  await settle();
  t.same(sent, ["a"]);
  t.same(events, []);
});

t.test("an attempt that is withdrawn while its files are sent does not start, and is requeued once", async (t) => {
  const { sent, events, launcher, start, settle } = prepare();
  start("a");
  start("b");
  launcher.withdraw(["a", "of an agent"]);
  t.same(events, [], "not while the scheduler's instruction is performed");
  await settle();
  launcher.withdraw(["a", "b"]);
  await nextTurn();
  t.same(sent, ["b"]);
  t.same(events, [{ type: "requeued", attempt: "a" }]);
});

t.test("files that cannot be sent: the attempt fails, unless it was withdrawn", async (t) => {
  const { events, launcher, start, settle } = prepare();
  start("a");
  start("b");
  launcher.withdraw(["b"]);
  await settle(new Error("the disk is full"));
  const failed = events.filter((event) => event.type === "stagingFailed");
  t.same(
    failed.map(({ attempt, error }) => [attempt.id, (error as Error).message]),
    [["a", "the disk is full"]],
  );
});

t.test("a chunk with a parameter above the limit of the node's profile does not start", async (t) => {
  const { sent, events, start, settle } = prepare();
  start("a", { sample_size: 1000, depth: 9, name: "x" });
  start("b", { sample_size: "1001" });
  t.same(events, [], "not while the scheduler's instruction is performed");
  await settle();
  t.same(sent, ["a"]);
  t.match(events, [
    {
      type: "startRefused",
      attempt: { id: "b" },
      reason: "not started: sample_size is 1001, and profile rx6600 has a limit of 1000",
    },
  ]);
});
