import { execFile } from "node:child_process";
import { rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { connect } from "../../fleet/connect.js";
import { lacking, startLab } from "../lab/lab.js";
import { projectRoot } from "../lab/project.js";
import type { TransferRequest, TransferResult } from "./measuretransfer.js";
import { toInventoryNode } from "./nodes.js";

const MIB = 1024 * 1024;
/** Bytes of the request window of one transfer: 16 requests of 255 KiB. */
const WINDOW = 16 * 255 * 1024;
/** What the heap and ssh2's own buffers may add to that. A transfer that kept its blocks would grow by its size. */
const SLACK = 44 * MIB;
/** As the launcher sets them (see `muster`). */
const V8_FLAGS = ["--optimize-for-size", "--min-semi-space-size=4", "--max-semi-space-size=4"];

async function transfer(what: TransferRequest): Promise<TransferResult> {
  const program = join(projectRoot(), "dist/test/fleet/measuretransfer.js");
  const { stdout } = await promisify(execFile)(process.execPath, [...V8_FLAGS, program, JSON.stringify(what)]);
  return JSON.parse(stdout) as TransferResult;
}

t.test("the memory of a transfer is its request window, however large the file is", { skip: lacking() }, async (t) => {
  const lab = await startLab({ nodes: 1, gpus: 0 });
  t.teardown(() => lab.stop());
  const node = toInventoryNode(lab.nodes[0]!);
  const connection = await connect(node);
  const there = `${await (await connection.files()).home()}/muster-memory-test-${process.pid}`;
  const shell = (script: string) => connection.exec(["sh", "-c", script, there], { timeout: 60 });
  t.teardown(async () => {
    await shell('rm -rf "$0"');
    await connection.close();
  });
  const sparseFile = (name: string, sizeBytes: number) => {
    writeFileSync(join(lab.folder, name), "");
    truncateSync(join(lab.folder, name), sizeBytes);
    return join(lab.folder, name);
  };
  const check = (t: Test, { growthBytes, seconds }: TransferResult, sizeMib: number) => {
    const grown = `${(growthBytes / MIB).toFixed(0)} MiB more in memory at ${(sizeMib / seconds).toFixed(0)} MiB/s`;
    t.ok(growthBytes < WINDOW + SLACK, grown);
  };
  await shell('mkdir "$0" && truncate -s 32M "$0/warm-up" && truncate -s 1G "$0/large"');

  await t.test("pulled: 1 GiB", async (t) => {
    const to = join(lab.folder, "pulled");
    const from = { warmUp: `${there}/warm-up`, from: `${there}/large` };
    check(t, await transfer({ node, direction: "download", ...from, to }), 1024);
    t.equal(statSync(to).size, 1024 * MIB);
    rmSync(to);
  });

  // The disk of a lab's node is memory: half of that is enough.
  await t.test("uploaded: 512 MiB", async (t) => {
    const from = { warmUp: sparseFile("warm-up", 32 * MIB), from: sparseFile("large", 512 * MIB) };
    check(t, await transfer({ node, direction: "upload", ...from, to: `${there}/uploaded` }), 512);
    t.match((await shell('stat -c %s "$0/uploaded"')).stdout, /^536870912$/m);
  });
});
