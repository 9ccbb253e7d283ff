import { setImmediate as nextTurn } from "node:timers/promises";
import t from "tap";
import type { Job } from "../../../../executor/job/job.js";
import { AttemptStarter, type StartingAttachment } from "../../../../executor/run/node/attemptstarter.js";
import type { NodeEvent } from "../../../../executor/run/node/nodeevent.js";
import type { Attempt } from "../../../../executor/schedule/events.js";

const JOB = {} as Job;

/** A starter, and an attachment where files arrive, or fail to, when `settle` is called. */
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
  const starter = new AttemptStarter(JOB, (event) => events.push(event));
  const start = (id: string) => starter.start(attachment, { id, chunk: { spec: {} }, slot: 0 } as Attempt);
  const settle = async (error?: Error) => {
    for (const one of waiting.splice(0)) one(error);
    await nextTurn();
  };
  return { sent, events, starter, start, settle };
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
  const { sent, events, starter, start, settle } = prepare();
  start("a");
  start("b");
  starter.withdraw(["a", "of an agent"]);
  t.same(events, [], "not while the scheduler's instruction is performed");
  await settle();
  starter.withdraw(["a", "b"]);
  await nextTurn();
  t.same(sent, ["b"]);
  t.same(events, [{ type: "requeued", attempt: "a" }]);
});

t.test("files that cannot be sent: the attempt fails, unless it was withdrawn", async (t) => {
  const { events, starter, start, settle } = prepare();
  start("a");
  start("b");
  starter.withdraw(["b"]);
  await settle(new Error("the disk is full"));
  const failed = events.filter((event) => event.type === "stagingFailed");
  t.same(
    failed.map(({ attempt, error }) => [attempt.id, (error as Error).message]),
    [["a", "the disk is full"]],
  );
});
