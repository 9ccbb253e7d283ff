import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { listLeftovers } from "../lab/leftovers.js";
import { lacking } from "../lab/requirements.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 3, gpus: 4, vendor: "amd" });

const report = `import json, os, sys
keys = ["HIP_VISIBLE_DEVICES", "HSA_OVERRIDE_GFX_VERSION", "HSA_ENABLE_SDMA", "ROCM_PATH"]
json.dump({"args": sys.argv[2:], "env": {k: os.environ.get(k) for k in keys}, "cwd": os.getcwd()}, open(sys.argv[1], "w"))
`;

t.test(
  "chunks run on every GPU of every node, each with its GPU bound and the environment of the profile",
  { skip: lacking("cards of their own") },
  async (t) => {
    shop.write("bind/report.py", report);
    const job = shop.write("bind/job.yaml", {
      name: "bind",
      kind: "matrix",
      matrix: { n: [0, 120] },
      script: "report.py",
      args: ["{out}/r.json", "{gpu}"],
      outputs: ["r.json"],
    });
    const ran = await runMuster(["run", job, "-i", inventory, "--json"]);
    t.equal(ran.code, 0, ran.err);
    const lines = shop.results("bind/runs/bind") as {
      node: string;
      slot: number;
      output: { args: string[]; env: Record<string, string> };
    }[];
    t.equal(lines.length, 120);
    t.equal(new Set(lines.map((line) => `${line.node}/${line.slot}`)).size, 12, "all 12 GPUs were used");
    for (const { slot, output } of lines) {
      if (output.env.HIP_VISIBLE_DEVICES !== `${slot}` || output.args[0] !== `${slot}`)
        t.fail(`slot ${slot}: ${JSON.stringify(output)}`);
    }
    t.match(lines[0]!.output.env, { HSA_OVERRIDE_GFX_VERSION: "10.3.0", HSA_ENABLE_SDMA: "0", ROCM_PATH: "/opt/rocm" });
    for (const node of lab.nodes) t.same(await node.processes(), [], "no process is left on a node");
    for (const node of lab.nodes)
      t.same(listLeftovers(join(node.root, "root/.muster")), [], "no file is left on a node");
  },
);

t.test("arguments arrive byte for byte, and inputs under their relative paths", { skip }, async (t) => {
  const args = ["a b", "$(touch /tmp/x)", "'\"`", "line\nbreak", "-n", "*", "ünï", "\\", "!!", "%s"];
  shop.write(
    "args/w/report.py",
    report.replace("json.dump(", "sys.argv.append(open('data/in put.txt').read());json.dump("),
  );
  shop.write("args/data/in put.txt", "the input");
  const job = shop.write("args/job.yaml", {
    name: "args",
    kind: "tasks",
    tasks: [
      {
        id: "one",
        script: "w/report.py",
        args: ["out/r.json", ...args],
        inputs: ["data/in put.txt"],
        outputs: ["out/r.json"],
      },
    ],
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(shop.json<{ args: string[] }>("args/runs/args/results/out/r.json").args, [...args, "the input"]);
});

t.test("a failed chunk is retried and reported with exit 3, and stops no other chunk", { skip }, async (t) => {
  shop.write(
    "bad/w.sh",
    '#!/bin/sh\necho trying "$1"\n[ "$1" = 3 ] && { echo no such survivor >&2; exit 7; }\necho "$1" > r.txt\n',
    0o755,
  );
  const job = shop.write("bad/job.yaml", {
    name: "bad",
    kind: "matrix",
    matrix: { n: [0, 8] },
    script: "w.sh",
    args: ["{n}"],
    outputs: ["r.txt"],
    retry: { attempts: 2, backoff: "50ms" },
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 3, ran.err);
  t.match(ran.out, /failed: chunk n=3 on \S+ slot \d, attempt 2: exit code 7\n\s+no such survivor/);
  const told = ran.err.split("\n").filter((line) => line.includes("chunk n=3"));
  t.match(told, [/attempt 1 failed on /, /^failed: chunk n=3 on \S+ slot \d, attempt 2: exit code 7$/]);
  t.equal(told.length, 2, "a line for each attempt");
  t.equal(shop.results("bad/runs/bad").length, 7);
  t.equal(shop.read("bad/runs/bad/logs/n=3.err"), "no such survivor\n");
  t.equal(shop.read("bad/runs/bad/logs/n=2.out"), "trying 2\n");
  t.match(shop.json("bad/runs/bad/summary.json"), { state: "partial", chunks: { done: 7, failed: 1 } });
});

t.test("large outputs and logs are pulled byte for byte", { skip }, async (t) => {
  shop.write(
    "big/w.py",
    "import sys, hashlib\nb = bytes(i * 7 % 251 for i in range(1000)) * 5000\nopen('big.bin', 'wb').write(b)\nopen('s.txt', 'w').write(hashlib.sha256(b).hexdigest())\nsys.stdout.write('x' * 100000)\n",
  );
  const job = shop.write("big/job.yaml", {
    name: "big",
    kind: "matrix",
    matrix: { n: [0, 3] },
    script: "w.py",
    args: [],
    outputs: ["big.bin", "s.txt"],
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  for (const n of [0, 1, 2]) {
    const bytes = readFileSync(join(shop.folder, `big/runs/big/results/n=${n}/big.bin`));
    t.equal(createHash("sha256").update(bytes).digest("hex"), shop.read(`big/runs/big/results/n=${n}/s.txt`));
    t.equal(shop.read(`big/runs/big/logs/n=${n}.out`).length, 100000);
  }
});

/** The first twelve chunks end at once, all others when the gate is open. */
const gated = `import json, socket, sys, time
if int(sys.argv[1]) >= 12:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[2]))).recv(1)
    except OSError:
        pass
json.dump(time.time(), open("r.json", "w"))
`;

/** A port of this machine that answers only after `open`. */
async function closeGate(): Promise<{ port: number; open: () => void }> {
  const waiting = new Set<Socket>();
  const server = createServer((socket) => waiting.add(socket.on("error", () => {}))).listen(0, "127.0.0.1");
  await once(server, "listening");
  const open = () => {
    server.close();
    for (const socket of waiting) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, open };
}

t.test(
  "after Ctrl-C the nodes continue; the same command collects their results and computes nothing twice",
  { skip },
  async (t) => {
    const gate = await closeGate();
    t.teardown(() => gate.open());
    shop.write("stop/w.py", gated);
    const job = shop.write("stop/job.yaml", {
      name: "stop",
      kind: "matrix",
      matrix: { n: [0, 160] },
      script: "w.py",
      args: ["{n}", `${gate.port}`],
      outputs: ["r.json"],
    });
    const first = startMuster(["run", job, "-i", inventory]);
    const firstEnded = waitForExit(first);
    await waitUntil("a chunk is done", () => committedChunks(join(shop.folder, "stop/runs/stop")).length > 0);
    const held = await runMuster(["run", job, "-i", inventory]);
    t.equal(held.code, 75, "a second coordinator is refused");
    t.match(held.err, new RegExp(`held by muster process ${first.pid} `));
    first.kill("SIGINT");
    const interrupted = await firstEnded;
    t.equal(interrupted.code, 130, interrupted.err);
    gate.open();
    const second = await runMuster(["run", job, "-i", inventory, "--json"]);
    t.equal(second.code, 0, second.err);
    const lines = shop.results("stop/runs/stop");
    t.equal(new Set(lines.map((line) => line.chunk)).size, 160);
    t.equal(lines.length, 160);
    const { session } = JSON.parse(second.out);
    t.ok(session.attempts < 160, `${session.attempts} attempts the second time`);
  },
);

t.test("without a usable node: exit 69, with the reason of each", { skip }, async (t) => {
  const job = shop.write("none/job.yaml", {
    name: "none",
    kind: "matrix",
    matrix: { n: [0, 2] },
    command: ["true"],
    args: [],
    needs: { vendor: "nvidia" },
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 69);
  t.match(ran.err, /needs\.vendor is nvidia/);
});

t.test("a node with a changed host key is refused with a warning, and the others continue", { skip }, async (t) => {
  await lab.nodes[0]!.rekey();
  const job = shop.write("key/job.yaml", {
    name: "key",
    kind: "matrix",
    matrix: { n: [0, 20] },
    command: ["/bin/true"],
    args: [],
  });
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.match(ran.err, /host key/i);
  t.notOk(shop.results("key/runs/key").some((line) => line.node === lab.nodes[0]!.name));
});
