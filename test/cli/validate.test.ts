import t from "tap";
import { validate } from "../../cli/validate.js";

async function run(files: string[], options = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const code = await validate(files, options, { out: (text) => out.push(text), err: (text) => err.push(text) });
  return { code, out, err };
}

t.test("muster validate reports the kind of each file, or its problems", async (t) => {
  const folder = t.testdir({
    "w.py": "",
    "i.yaml": "nodes: {rig: {}}\n",
    "range.yaml": "kind: range\nrange: [0, 1000000000]\nscript: w.py\nneeds: {nodes: [rig]}\n",
    "jobs.json": '{"jobs": [{"job_id": "a", "script": "w.py"}]}',
    "pipeline.yaml": "steps: []\n",
    "other.yaml": "a: 1\n",
    "bad.yaml": "kind: range\nrange: [0, 1]\nscript: w.py\nneeds: {nodes: [rog]}\ntimout: 1\n",
  });
  const file = (name: string) => `${folder}/${name}`;
  const good = await run([file("i.yaml"), file("range.yaml"), file("jobs.json")]);
  t.same(good, {
    code: 0,
    out: [
      `${file("i.yaml")}: ok (inventory, 1 node)`,
      `${file("range.yaml")}: ok (job, range, 1,000,000,000 units)`,
      `${file("jobs.json")}: ok (jobs file, 1 job)`,
    ],
    err: [],
  });
  const bad = await run([file("range.yaml"), file("bad.yaml"), file("pipeline.yaml"), file("other.yaml")], {
    inventory: file("i.yaml"),
  });
  t.equal(bad.code, 65);
  t.equal(bad.out.length, 1);
  t.same(bad.err, [
    `${file("bad.yaml")}:4:17: needs.nodes[0]: the inventory has no node or tag "rog"\n    did you mean "rig"?`,
    `${file("bad.yaml")}:5:1: unknown key "timout"\n    did you mean "timeout"?`,
    `${file("pipeline.yaml")}:1:8: steps must be a mapping, not a list of 0`,
    `${file("other.yaml")}: is neither an inventory (nodes), a job (kind), a jobs file (jobs) nor a pipeline (steps)\n    docs/reference.md has every key of each`,
  ]);
  const json = await run([file("bad.yaml"), file("i.yaml")], { json: true });
  t.match(JSON.parse(json.out[0]!), [
    {
      ok: false,
      problems: [
        { line: 4, column: 17 },
        { line: 5, column: 1 },
      ],
    },
    { ok: true, kind: "inventory" },
  ]);
  t.same(await run([file("i.yaml")], { quiet: true }), { code: 0, out: [], err: [] });
});

t.test("muster validate says of a job that no node may run it", async (t) => {
  const job = (needs: string) => `kind: range\nrange: [0, 9]\ncommand: [prog, "{start}"]\nneeds: ${needs}\n`;
  const folder = t.testdir({
    "i.yaml": "profiles: {rx: {vendor: amd, vram: 8GiB}}\nnodes: {rig: {profile: rx, gpus: 2}}\n",
    "fits.yaml": job("{vram: 8GiB}"),
    "large.yaml": job("{vram: 24GiB}"),
    "pipe.yaml": "steps: {a: {job: large.yaml}}\n",
  });
  const [fits, large, pipe] = [`${folder}/fits.yaml`, `${folder}/large.yaml`, `${folder}/pipe.yaml`];
  const { code, out } = await run([fits, large, pipe], { inventory: `${folder}/i.yaml` });
  t.equal(code, 0);
  const note = (name: string) => `\n    no node of the inventory may run ${name}; muster run --plan says why`;
  t.same(out, [
    `${fits}: ok (job, range, 9 units)`,
    `${large}: ok (job, range, 9 units)${note("large")}`,
    `${pipe}: ok (pipeline, 1 step)${note("pipe.a")}`,
  ]);
});

t.test("muster validate shows how to write braces that are no placeholder, with their position", async (t) => {
  const folder = t.testdir({
    "awk.yaml": 'kind: range\nrange: [0, 9]\ncommand: [awk, "{print $1}", "{start}"]\nargs:\n  - "{strat}"\n  - ok\n',
    "shards.yaml": "kind: shards\nshards: 64\ncommand: [prog, '--device=cuda:{gpu}', '{index}']\n",
  });
  const [awk, shards] = [`${folder}/awk.yaml`, `${folder}/shards.yaml`];
  const bad = await run([awk]);
  t.same(bad, {
    code: 65,
    out: [],
    err: [
      `${awk}:3:16: command[1]: "{print $1}" is not a placeholder\n    write {{print $1}}`,
      `${awk}:5:5: args[0]: unknown placeholder {strat}\n    did you mean {start}? For literal braces write {{strat}}`,
    ],
  });
  const good = await run([shards]);
  t.match(good, { code: 0, err: [] });
  t.equal(
    good.out[0]?.split(", because")[0],
    `${shards}: ok (job, shards, 64 shards)\n    command[1] (line 3): write cuda:0 instead of cuda:{gpu}`,
  );
});
