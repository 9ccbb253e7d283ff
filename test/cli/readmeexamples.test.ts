import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** Returns the indented blocks of README.md, without their indent. */
function readBlocks(): string[] {
  const text = readFileSync(join(projectRoot(), "README.md"), "utf8");
  const blocks = text.match(/(?:^ {4}.*\n)(?:(?: {4}.*)?\n)*/gm) ?? [];
  return blocks.map((block) => block.replace(/^ {4}/gm, "").trim());
}

/** The rest of the inventory, and the files that the examples name. */
const PROFILES = `profiles:
  rx6600: {vendor: amd, model: RX 6600, limits: {sample_size: {best: 450, max: 1000}}}
  rtx3080ti: {vendor: nvidia}
python_envs: {prng: {requirements: requirements.txt, find_links: wheels}}
`;
const FILES: Record<string, string> = {
  "requirements.txt": "numpy==1.26.4\n",
  "wheels/.keep": "",
  "scoring/.keep": "",
  "sieve.py": "",
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

t.test("the examples of README.md are valid", async (t) => {
  for (const [name, text] of Object.entries(FILES)) shop.write(name, text);
  chmodSync(join(shop.folder, "secret.env"), 0o600);
  const blocks = readBlocks().filter((block) => /^(?:name: \S+\n)?(?:nodes|kind|steps|directory):/.test(block));
  t.ok(blocks.length >= 5, `${blocks.length} examples`);
  const nodes = blocks.find((block) => block.startsWith("nodes:"))!;
  shop.write("inventory.yaml", `${nodes}\n${PROFILES}`);
  for (const [index, block] of blocks.entries()) {
    if (block === nodes) continue;
    // A file of the reader's home folder.
    const text = block.replace("~/.secrets/job.env", "secret.env");
    const file = shop.write(`example${index}.yaml`, `${text}\n`);
    const { code, err } = await runMuster(["validate", file], { cwd: shop.folder });
    t.equal(code, 0, `${block}\n${err}`);
  }
  t.match(await runMuster(["validate", "inventory.yaml"], { cwd: shop.folder }), { code: 0 });
});
