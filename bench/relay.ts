/**
 * Measures files and programs through a relay beside a local connection and one over SSH, to the same machine in the same run.
 *     npm run bench:relay [-- MEGABYTES]
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "../fleet/connect.js";
import type { Connection } from "../fleet/connection.js";
import { connectRelay } from "../fleet/relay/relayconnection.js";
import { relayProgram } from "../templates/nodeprograms.js";
import { createNode, toInventoryNode } from "../test/fleet/nodes.js";
import { type Lab, startLab } from "../test/lab/lab.js";

const ROUNDS = 5;
const PROGRAMS = 40;
const SMALL_FILES = 200;
const MB = 1_000_000;

const megabytes = Number(process.argv[2] ?? "200");
if (!(megabytes >= 1 && megabytes <= 1000)) {
  console.error("usage: npm run bench:relay [-- MEGABYTES]   (of the file, 1 to 1000; default 200)");
  process.exit(64);
}

/** Another connection with a relay at its end. */
async function throughRelay(outer: Connection): Promise<Connection> {
  const channel = await outer.open(["python3", ...relayProgram().args]);
  return connectRelay(channel, outer.node, { release: () => outer.close() });
}

async function openAll(lab: Lab): Promise<[name: string, connection: Connection][]> {
  const local = createNode({ connection: "local" });
  const ssh = toInventoryNode(lab.nodes[0]!);
  return [
    ["local", await connect(local)],
    ["relay, local", await throughRelay(await connect(local))],
    ["SSH", await connect(ssh)],
    ["relay over SSH", await throughRelay(await connect(ssh))],
  ];
}

async function timeSeconds(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

async function runPrograms(connection: Connection): Promise<void> {
  for (let n = 0; n < PROGRAMS; n++) await connection.exec(["true"], { timeout: 20 });
}

async function measure(connection: Connection, folder: string, note: (what: string, value: number) => void) {
  const files = await connection.files();
  const there = `${await files.home()}/muster-bench-relay`;
  const [local, back] = [join(folder, "payload"), join(folder, "back")];
  await files.makeFolder(there, 0o700);
  const small = Array.from({ length: SMALL_FILES }, (_, n) => `${there}/small-${n}`);
  const uploadSmall = () => Promise.all(small.map((path) => files.upload(Buffer.alloc(1000), path, 0o600)));
  note("upload, MB/s", megabytes / (await timeSeconds(() => files.upload(local, `${there}/payload`, 0o600))));
  note("download, MB/s", megabytes / (await timeSeconds(() => files.download(`${there}/payload`, back, 1e9))));
  note("small uploads a second", SMALL_FILES / (await timeSeconds(uploadSmall)));
  note("a program, ms", ((await timeSeconds(() => runPrograms(connection))) * 1000) / PROGRAMS);
  note("stat, ms", (await timeSeconds(() => files.stat(there))) * 1000);
  await connection.exec(["rm", "-rf", there], { timeout: 60 });
  rmSync(back);
}

const lab = await startLab({ nodes: 1, gpus: 0 });
try {
  mkdirSync(join(lab.folder, "bench"));
  writeFileSync(join(lab.folder, "bench/payload"), randomBytes(megabytes * MB));
  const connections = await openAll(lab);
  const values = new Map<string, number[]>();
  // The first round is not counted: code is loaded and compiled then.
  for (let round = 0; round <= ROUNDS; round++)
    for (const [name, connection] of connections)
      await measure(connection, join(lab.folder, "bench"), (what, value) => {
        const key = `${name.padEnd(16)}${what.padEnd(24)}`;
        if (round > 0) values.set(key, [...(values.get(key) ?? []), value]);
      });
  for (const [key, all] of values) {
    const sorted = all.sort((a, b) => a - b).map((value) => value.toFixed(1));
    console.log(`${key}median ${sorted[ROUNDS >> 1]} (${sorted[0]} to ${sorted.at(-1)})`);
  }
  for (const [, connection] of connections) await connection.close();
} finally {
  await lab.stop();
}
