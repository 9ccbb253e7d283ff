import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { DoneMessage } from "../../../../executor/run/agent/protocol.js";
import { DiskReservation } from "../../../../executor/run/results/diskspace.js";
import type { OutputLimits } from "../../../../executor/run/results/matchoutputs.js";
import { pullOutputs } from "../../../../executor/run/results/pulloutputs.js";
import type { Attempt } from "../../../../executor/schedule/events.js";
import type { Files } from "../../../../fleet/connection.js";

const folder = mkdtempSync(join(tmpdir(), "muster-pull-"));
t.teardown(() => rmSync(folder, { recursive: true }));
t.afterEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const right = Buffer.alloc(20_000, "right");

function attempt(outputs: string[]): Attempt {
  const work = { outputs } as unknown as Attempt["chunk"]["spec"];
  return { id: "1-0", number: 1, chunk: { id: "n=1", start: 1n, end: 2n, spec: work }, node: "node1", slot: 0 };
}

function done(...paths: string[]): DoneMessage {
  return {
    outputs: paths.map((path) => ({ path, size: right.length, sha256: sha256(right) })),
  } as unknown as DoneMessage;
}

function limited(bytes: number): OutputLimits {
  return { limits: { output: bytes, stdout: bytes, files: 10 }, cwd: ".", isPartial: false };
}

/** A node that sends these bytes, one after the other, whatever is asked for. */
function sends(...answers: Buffer[]) {
  const asked: string[] = [];
  const resumeDownload: Files["resumeDownload"] = async (remote, local, limit) => {
    t.equal(limit, right.length, "no more than the node has announced");
    const bytes = answers[asked.push(remote) - 1] ?? answers.at(-1)!;
    writeFileSync(local, bytes, { flag: "wx" });
    return { size: bytes.length, sha256: sha256(bytes) };
  };
  return { asked, origin: { root: "/w/runs/r", files: async () => ({ resumeDownload }) as unknown as Files } };
}

t.test("an output of the right size with wrong bytes is pulled again", async (t) => {
  const wrong = Buffer.alloc(right.length, "wrong");
  const { asked, origin } = sends(wrong, right);
  const [output] = await pullOutputs(attempt(["r"]), done("r"), origin, new DiskReservation(folder), limited(2 ** 53));
  t.same(asked, ["/w/runs/r/a/1-0/work/r", "/w/runs/r/a/1-0/work/r"]);
  t.match(output, { path: "r", size: right.length, sha256: sha256(right) });
  t.same(readFileSync(join(folder, "1-0.0")), right);
});

t.test("an output that is wrong repeatedly is refused by name, and no local file is left", async (t) => {
  const { asked, origin } = sends(Buffer.alloc(right.length, "wrong"));
  await t.rejects(pullOutputs(attempt(["r"]), done("r"), origin, new DiskReservation(folder), limited(2 ** 53)), {
    code: "CORRUPT",
    message: "output r: its bytes differ from those that the node hashed",
  });
  t.equal(asked.length, 3);
  t.same(readdirSync(folder), []);
});

t.test("if one of several outputs fails, the others are awaited and deleted", async (t) => {
  const { origin } = sends(right);
  await t.rejects(
    pullOutputs(attempt(["a", "lost", "b"]), done("a", "b"), origin, new DiskReservation(folder), limited(2 ** 53)),
    {
      code: "CORRUPT",
      message: /output lost: the node does not report it/,
    },
  );
  t.same(readdirSync(folder), []);
});

t.test("names that a node invents are ignored", async (t) => {
  const { asked, origin } = sends(right);
  await pullOutputs(
    attempt(["r"]),
    done("../../muster-escaped", "r", "/etc/passwd"),
    origin,
    new DiskReservation(folder),
    limited(2 ** 53),
  );
  t.equal(asked.length, 1);
  t.equal(existsSync(join(folder, "../../muster-escaped")), false);
});

t.test("an output that exceeds the free space is not pulled", async (t) => {
  const { asked, origin } = sends(right);
  const huge = { outputs: [{ path: "r", size: 2 ** 52, sha256: "" }] } as unknown as DoneMessage;
  await t.rejects(pullOutputs(attempt(["r"]), huge, origin, new DiskReservation(folder), limited(2 ** 53)), {
    code: "DISK",
    exitStatus: 3,
    message: /a result of 4096\.0 TiB does not fit: [\d.]+ \w+ are free in/,
  });
  t.same(asked, []);
});

t.test("an output above the limit of the job is not pulled, whatever the free space is", async (t) => {
  const { asked, origin } = sends(right);
  await t.rejects(
    pullOutputs(attempt(["r"]), done("r"), origin, new DiskReservation(folder), limited(right.length - 1)),
    {
      code: "CORRUPT",
      message: /it has 20000 B, more than the 19999 B allowed/,
    },
  );
  t.same(asked, []);
});
