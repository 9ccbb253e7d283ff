import { chmodSync } from "node:fs";
import { basename, join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { findBlocks, readPages } from "./pages.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** What the examples name and do not show. */
const PROFILES = `profiles:
  rx6600: {vendor: amd, model: RX 6600, limits: {sample_size: {best: 450, max: 1000}}}
  rtx3080ti: {vendor: nvidia}
`;
const MANIFESTS = "manifests: {chunk_size: {value: 1000, in: [{file: ~/run.sh, assignment: CHUNK_SIZE}]}}\n";
const FILES: Record<string, string> = {
  "inventory.yaml": `${PROFILES}nodes: {rig-6600: {host: 192.168.3.120, profile: rx6600, gpus: 8, tags: [rigs]}}
python_envs: {prng: {requirements: requirements.txt, find_links: wheels}}
`,
  "requirements.txt": "numpy==1.26.4\n",
  "wheels/.keep": "",
  "scoring/.keep": "",
  "agent_manifests/full_scoring.json": "{}",
  "data/train_history.json": "[]",
  "data/holdout_history.json": "[]",
  ".project-root": "",
  "sieve.py": "",
  "square.py": "",
  "worker.py": "",
  "objective.py": "",
  "prepare.py": "",
  "predict.py": "",
  "rank.py": "",
  "observations.json": "[]",
  "secret.env": "TOKEN=1\n",
  "jobs/sieve.yaml":
    "kind: range\nrange: [0, 9]\ncommand: [w]\noutputs: [survivors.json]\naggregate: {from: survivors.json, as: array, to: survivors.json}\n",
  "jobs/trials.yaml":
    "kind: range\nrange: [0, 9]\ncommand: [w]\ninputs: [survivors.json]\noutputs: [trials.json]\naggregate: {from: trials.json, as: array, to: trials.json}\n",
  "jobs/fit.yaml":
    'kind: range\nrange: [0, 9]\ncommand: [w, "{seed}"]\nparams: {seed: 1}\noutputs: [fit.json]\naggregate: {from: fit.json, as: array, to: fit.json}\n',
};

/** The keys with which an example can begin, and what its file has in addition. */
const STARTS: [start: RegExp, rest: string][] = [
  [/^(?:nodes|profiles):/, ""],
  [/^(?:name: \S+\n)?(?:kind|steps):/, ""],
  [/^directory:/, ""],
  [/^python_envs:/, "nodes: {here: {connection: local}}\n"],
  [/^(?:outputs|state):/, "kind: tasks\ntasks: [{id: a, args: []}]\ncommand: [w]\n"],
  [/^project:/, "kind: tasks\ntasks: [{id: a, args: []}]\n"],
  [/^on_failure:/, "steps: {wait: {command: [sleep, '1']}}\n"],
];

interface Example {
  page: string;
  file: string;
  text: string;
}

/** Returns the examples of all pages that a file can consist of; test/recipes/ runs those of docs/recipes.md. */
function findExamples(): Example[] {
  return readPages()
    .filter(({ path }) => path !== "docs/recipes.md")
    .flatMap((page) =>
      findBlocks(page).map(({ text }, index) => {
        const [, name] = /^# (\S+\.yaml)\n/.exec(text) ?? [];
        return {
          page: page.path,
          file: name ?? `${basename(page.path)}.${index}.yaml`,
          text: text.replace(/^# \S+\.yaml\n/, ""),
        };
      }),
    );
}

/** Completes an inventory by what it refers to, and names a file of the test instead of one of the reader's home folder. */
function complete(text: string, rest: string): string {
  const lists = (key: string) => new RegExp(`^${key}:`, "m").test(text);
  const isInventory = lists("nodes");
  const profiles = isInventory && !lists("profiles") ? PROFILES : "";
  const manifests = isInventory && text.includes("manifest-sync") && !lists("manifests") ? MANIFESTS : "";
  return `${text.replace("~/.secrets/job.env", "secret.env").trimEnd()}\n${rest}${profiles}${manifests}`;
}

t.test("the YAML examples of all pages are valid", async (t) => {
  for (const [name, text] of Object.entries(FILES)) shop.write(name, text);
  chmodSync(join(shop.folder, "secret.env"), 0o600);
  const found = new Map(STARTS.map(([start]) => [start, 0]));
  const written = findExamples().flatMap(({ page, file, text }) => {
    const [start, rest] = STARTS.find(([one]) => one.test(text)) ?? [];
    if (start === undefined) return [];
    found.set(start, found.get(start)! + 1);
    return { page, path: shop.write(file, complete(text, rest!)) };
  });
  const { out, err, code } = await runMuster(["validate", "inventory.yaml", ...written.map(({ path }) => path)], {
    cwd: shop.folder,
  });
  t.equal(code, 0, err);
  for (const { page, path } of written) if (!out.includes(`${path}: ok (`)) t.fail(`${page}: ${path} is not valid`);
  for (const [start, count] of found) if (count === 0) t.fail(`no example begins with ${start}`);
});
