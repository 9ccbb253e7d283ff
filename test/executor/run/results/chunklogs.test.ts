import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import type { DoneMessage, LogReport } from "../../../../executor/run/agent/protocol.js";
import type { ResultSource } from "../../../../executor/run/node/attachment.js";
import { saveLogs } from "../../../../executor/run/results/chunklogs.js";
import { DiskReservation } from "../../../../executor/run/results/diskspace.js";
import type { Attempt } from "../../../../executor/schedule/events.js";

const attempt = { id: "a1", chunk: { id: "c" } } as unknown as Attempt;

/** Saves the logs of an attempt whose files lie in `node`. */
async function save(test: Test, stdout: LogReport, stderr: LogReport, node = "") {
  const folder = mkdtempSync(join(tmpdir(), "logs-"));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const download = async (remote: string, local: string) => copyFileSync(join(node, remote.split("/").at(-1)!), local);
  const source = { root: "/", files: async () => ({ download }) } as unknown as ResultSource;
  const reservation = new DiskReservation(folder);
  await saveLogs(attempt, { stdout, stderr } as DoneMessage, { source, printed: undefined, logs: folder, reservation });
  return { names: readdirSync(folder).sort(), read: (name: string) => readFileSync(join(folder, name)) };
}

t.test("logs that come with the message are folded", async (t) => {
  const report = (text: string) => ({ size: text.length, data: Buffer.from(text).toString("base64") });
  const { names, read } = await save(t, report("1\r2\r3\n"), report("kept\n"));
  t.same(names, ["c.err", "c.out"]);
  t.same([read("c.out").toString(), read("c.err").toString()], ["3\n", "kept\n"]);
});

t.test("pulled logs are folded, and nothing else is left in the folder", async (t) => {
  const node = mkdtempSync(join(tmpdir(), "node-"));
  t.teardown(() => rmSync(node, { recursive: true }));
  const bars = Array.from({ length: 300_000 }, (_, n) => (n % 1000 === 999 ? `step ${n}\n` : `${n} %\r`)).join("");
  const binary = Buffer.concat([Buffer.from([0, 13, 10, 13]), Buffer.alloc(1 << 20, "b\r")]);
  writeFileSync(join(node, "out"), bars);
  writeFileSync(join(node, "err"), binary);
  const { names, read } = await save(t, { size: bars.length }, { size: binary.length }, node);
  t.same(names, ["c.err", "c.out"]);
  t.equal(read("c.out").toString(), Array.from({ length: 300 }, (_, n) => `step ${n * 1000 + 999}\n`).join(""));
  t.ok(read("c.err").equals(binary));
});
