import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import parsePrometheus from "parse-prometheus-text-format";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" }, "nodes that drift");

type Samples = { labels?: Record<string, string>; value: string }[];
/** Reads the metrics of a file by name with an independent parser. */
function figures(file: string): (name: string, labels?: Record<string, string>) => number | undefined {
  const families = parsePrometheus(readFileSync(file, "utf8")) as { name: string; type: string; metrics: Samples }[];
  for (const { name, type } of families) if (type !== "GAUGE" || !/^muster_[a-z_]+$/.test(name)) throw new Error(name);
  return (name, labels = {}) => {
    const samples = families.find((one) => one.name === name)?.metrics ?? [];
    const found = samples.find((one) => Object.entries(labels).every(([key, value]) => one.labels?.[key] === value));
    return found === undefined ? undefined : Number(found.value);
  };
}

const job = (name: string, count: number) => ({
  name,
  kind: "matrix",
  matrix: { n: [0, count] },
  script: "w.sh",
  args: ["{n}", "{gpu}"],
  outputs: ["r.json"],
  inputs: name === "third" ? ["both.json"] : [],
  aggregate: { from: "r.json", as: "array", to: "all.json" },
  needs: { playbooks: ["rocm-env"] },
});

t.test(
  "provision, two concurrent jobs on several nodes, a job with their results as input; then drift",
  { skip },
  async (t) => {
    shop.write("w.sh", '#!/bin/sh\nsleep 0.5\necho "{\\"n\\": $1, \\"gpu\\": $2}" > r.json\n', 0o755);
    for (const [name, count] of [
      ["first", 8],
      ["second", 8],
      ["third", 2],
    ] as const)
      shop.write(`${name}.yaml`, job(name, count));
    shop.write("both.json", "[]");
    shop.write(
      "join.py",
      "import json, sys\njson.dump(sum((json.load(open(p)) for p in sys.argv[1:3]), []), open(sys.argv[3], 'w'))\n",
    );
    shop.write("tell.sh", '#!/bin/sh\ncat > "$1"\n', 0o755);
    const file = shop.write("fleet.yaml", {
      on_drift: [{ command: ["./tell.sh", "drift.json"] }],
      on_failure: [{ command: ["./tell.sh", "failure.json"] }],
      metrics: "fleet.prom",
      steps: {
        ready: { provision: ["rocm-env"] },
        first: { job: "first.yaml", needs: ["ready"] },
        second: { job: "second.yaml", needs: ["ready"] },
        both: {
          command: ["python3", "join.py", "{in}/1", "{in}/2", "{out}/both.json"],
          inputs: { 1: "first/all.json", 2: "second/all.json" },
          outputs: ["both.json"],
        },
        third: { job: "third.yaml", inputs: { "both.json": "both/both.json" } },
        still: { verify: ["rocm-env"], nodes: ["node*"], needs: ["third"] },
      },
    });
    const ran = await runMuster(["run", file, "-i", inventory, "--json"]);
    t.equal(ran.code, 0, ran.err);
    const at = "runs/fleet";
    t.equal(shop.json<[]>(`${at}/both/results/both.json`).length, 16);
    const entries = shop
      .read(`${at}/journal.ndjson`)
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const time = (e: string, step: string) => entries.find((one) => one.e === e && one.step === step).at;
    t.ok(
      time("begin", "first") < time("end", "second") && time("begin", "second") < time("end", "first"),
      "side by side",
    );
    t.ok(time("end", "ready") <= time("begin", "first") && time("end", "both") <= time("begin", "third"));
    t.equal(
      new Set([...shop.results(`${at}/first`), ...shop.results(`${at}/second`)].map((one) => `${one.node}/${one.slot}`))
        .size,
      4,
    );
    const figure = figures(join(shop.folder, "fleet.prom"));
    t.equal(figure("muster_run_exit_code", { run: "fleet" }), 0);
    t.equal(figure("muster_step_chunks", { step: "first", result: "done" }), 8);
    t.equal(figure("muster_step_state", { step: "still", state: "complete" }), 1);

    rmSync(join(lab.nodes[0]!.root, "etc/profile.d"), { recursive: true });
    const drifted = await runMuster(["run", file, "-i", inventory, "--only", "still", "--fresh"]);
    t.equal(drifted.code, 2, drifted.err);
    t.match(drifted.out, /still: +drift/);
    const reported = shop.json<{ steps: { step: string; drift: { nodes: object[] } }[] }>("drift.json");
    t.match(reported, { occasion: "on_drift", exit: 2 });
    t.match(reported.steps.find(({ step }) => step === "still")!.drift.nodes, [
      { node: "node1", state: "differs" },
      { node: "node2", state: "in sync" },
    ]);
    t.match(shop.json("failure.json"), { occasion: "on_failure", exit: 2 }, "every exit status but 0 is reported");
    const found = figures(join(shop.folder, "fleet.prom"));
    t.equal(found("muster_run_exit_code"), 2);
    t.equal(found("muster_node_in_sync", { step: "still", node: "node1" }), 0);
    t.equal(found("muster_node_in_sync", { step: "still", node: "node2" }), 1);
  },
);

t.test(
  "a coordinator that is killed during a step: the nodes continue, and nothing is computed twice",
  { skip },
  async (t) => {
    shop.write("kill/w.sh", '#!/bin/sh\necho x >> /root/ran\nsleep 0.4\necho "{}" > r.json\n', 0o755);
    const steps = { a: { job: "a.yaml" }, b: { job: "b.yaml", inputs: { "all.json": "a/all.json" } } };
    const common = { kind: "matrix", matrix: { n: [0, 16] }, script: "w.sh", outputs: ["r.json"], args: [] };
    shop.write("kill/a.yaml", { ...common, aggregate: { from: "r.json", as: "array", to: "all.json" } });
    shop.write("kill/all.json", "[]");
    shop.write("kill/b.yaml", { ...common, inputs: ["all.json"] });
    const file = shop.write("kill/p.yaml", { steps });
    const first = startMuster(["run", file, "-i", inventory]);
    const firstEnded = waitForExit(first);
    await waitUntil("a chunk is done", () => committedChunks(join(shop.folder, "kill/runs/p/a")).length > 0);
    first.kill("SIGKILL");
    await firstEnded;
    const second = await runMuster(["run", file, "-i", inventory, "--json"]);
    t.equal(second.code, 0, second.err);
    for (const step of ["a", "b"])
      t.equal(new Set(shop.results(`kill/runs/p/${step}`).map((one) => one.chunk)).size, 16);
    const ran = lab.nodes.map((node) => readFileSync(join(node.root, "root/ran"), "utf8").split("\n").length - 1);
    t.equal(ran[0]! + ran[1]!, 32, "every chunk of both steps ran once");
  },
);

t.test("metrics of a verification (nodes, drift, GPUs) and of a run", { skip }, async (t) => {
  const away = lab.inventory({ file: "away.yaml", nodes: { node2: { port: 1 } } });
  const file = join(shop.folder, "metrics/verify.prom");
  shop.write("metrics/other.prom", "");
  const ran = await runMuster(["verify", "rocm-env", "-i", away, "--metrics", file, "--json"]);
  t.equal(ran.code, 3, ran.err);
  const figure = figures(file);
  t.equal(figure("muster_verify_exit_code"), 3);
  t.ok(Math.abs(figure("muster_verify_time_seconds")! - Date.now() / 1000) < 600);
  t.equal(figure("muster_node_reachable", { node: "node1" }), 1);
  t.equal(figure("muster_node_reachable", { node: "node2" }), 0);
  t.equal(figure("muster_node_in_sync", { node: "node1" }), 0);
  t.equal(figure("muster_node_in_sync", { node: "node2" }), undefined, "nobody knows");
  t.ok(figure("muster_node_resources", { node: "node1", playbook: "rocm-env", state: "drift" })! > 0);
  t.equal(figure("muster_node_gpus", { node: "node1" }), 2);
  t.equal(figure("muster_node_gpus_expected", { node: "node2" }), 2);
  t.ok(figure("muster_gpu_memory_bytes", { node: "node1", vendor: "amd" })! > 2 ** 30);
  t.ok(figure("muster_node_memory_available_bytes", { node: "node1" })! > 2 ** 20);
  t.equal(statSync(file).mode & 0o777, 0o644, "the collector may read it");
  t.same(readdirSync(join(shop.folder, "metrics")).sort(), ["other.prom", "verify.prom"], "nothing else is left there");
  const one = shop.write("one.yaml", {
    kind: "matrix",
    matrix: { n: [0, 3] },
    command: ["sh", "-c", "[ $0 != 2 ]"],
    args: ["{n}"],
    retry: { attempts: 1 },
  });
  t.equal((await runMuster(["run", one, "-i", "local", "--metrics", file])).code, 3);
  const complete = shop.write("two.yaml", { kind: "matrix", matrix: { n: [0, 2] }, command: ["true"], args: [] });
  t.match(await runMuster(["run", complete, "-i", "local", "--metrics", "/nowhere/x.prom"]), {
    code: 0,
    err: /ENOENT/,
  });
  const after = figures(file);
  t.equal(after("muster_run_chunks", { run: "one", result: "done" }), 2);
  t.equal(after("muster_run_chunks", { run: "one", result: "failed" }), 1);
  t.equal(after("muster_run_state", { run: "one", state: "partial" }), 1);
  t.equal(after("muster_verify_exit_code"), undefined, "the file is replaced");
  t.match(await runMuster(["verify", "rocm-env", "-i", inventory, "--metrics", "/nowhere/x.prom"]), {
    code: 64,
    err: /ENOENT/,
  });
});
