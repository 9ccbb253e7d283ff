import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { PROTOCOL_VERSION } from "../../executor/run/agent/protocol.js";
import type { MusterResult } from "../cli/startmuster.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";
import { checkNodes, checkResults } from "./checks.js";
import { KnownJob } from "./knownjob.js";

const { skip, shop, lab, nodes } = await shareLab(t, { nodes: 2, gpus: 0 }, "looking into nodes");

/** What its agent does, and what is said of the node then; undefined: it only fails its chunks, which others then do. */
const MODES: Record<string, RegExp | undefined> = {
  claims_all: undefined,
  claims_endlessly: /claims to hold \d+ attempts, more than it can have been given/,
  nests: /a line of more than 65536 bytes/,
  nests_little: /not a message/,
  floods_idleness: /too many messages that nobody asked for/,
  floods_problems: /too many messages that nobody asked for/,
  floods_results: /too many messages that nobody asked for/,
  floods_slots: /too many messages that nobody asked for/,
  prints_first: /printed more than 1048576 bytes before the agent answered/,
  speaks_another_version: /version 999/,
  refuses: /refuses the only coordinator/,
  swaps_chunks: /says that attempt .* was chunk/,
  swaps_slots: /says that attempt .* was chunk/,
  lies_about_hashes: undefined,
  greets_twice: /hello out of turn/,
};

/** Runs the job and notes the most memory that muster ever had, in bytes. */
async function measure(
  job: KnownJob,
  words: string[],
): Promise<MusterResult & { memoryBytes: number; seconds: number }> {
  const began = performance.now();
  const { child, ended } = job.start(words);
  let memoryBytes = 0;
  const timer = setInterval(() => {
    const status = `/proc/${child.pid}/status`;
    const peak = existsSync(status) ? /VmHWM:\s+(\d+)/.exec(readFileSync(status, "utf8")) : null;
    memoryBytes = Math.max(memoryBytes, Number(peak?.[1] ?? 0) * 1024);
  }, 20);
  const ran = await ended;
  clearInterval(timer);
  return { ...ran, memoryBytes, seconds: (performance.now() - began) / 1000 };
}

t.test("a hostile agent affects only its own node", { skip }, async (t) => {
  const [honest, hostile] = nodes as [(typeof nodes)[0], (typeof nodes)[0]];
  cpSync(join(projectRoot(), "test/faults/hostile_agent.py"), join(hostile.root, "usr/local/bin/hostile"));
  await hostile.exec(["chmod", "755", "/usr/local/bin/hostile"]);
  const inventory = lab.inventory({ nodes: { [hostile.name]: { python: "/usr/local/bin/hostile" } } });
  const shape = { chunks: 24, seconds: 0.05, job: { retry: { attempts: 4, backoff: "0.1s" } } };
  const usual = await measure(new KnownJob(shop, "usual", shape), ["-i", inventory, "--limit", honest.name]);
  t.equal(usual.code, 0, usual.err);
  for (const [mode, reason] of Object.entries(MODES))
    await t.test(mode.replaceAll("_", " "), async (t) => {
      writeFileSync(join(hostile.root, "var/tmp/hostile"), `${mode} ${PROTOCOL_VERSION}`);
      const job = new KnownJob(shop, mode, shape);
      // A hostile node that holds what it was given, and says nothing, is ended by its timeout: none of these does.
      const ran = await measure(job, ["-i", inventory, "--json"]);
      t.equal(ran.code, 0, ran.err.slice(0, 2000));
      checkResults(t, job);
      const node = JSON.parse(ran.out).nodes.find((one: { node: string }) => one.node === hostile.name);
      if (reason !== undefined) t.match(node, { state: "refused", chunks: 0, reason });
      else t.equal(node.chunks, 0, "nothing of it is taken");
      t.ok(ran.err.length < 300_000, `${ran.err.length} bytes on stderr`);
      t.ok(
        ran.memoryBytes < usual.memoryBytes + (100 << 20),
        `${ran.memoryBytes >> 20} MiB, usually ${usual.memoryBytes >> 20}`,
      );
      t.ok(ran.seconds < usual.seconds + 30, `${ran.seconds.toFixed(1)} s, usually ${usual.seconds.toFixed(1)}`);
      await checkNodes(t, [honest]);
    });
});
