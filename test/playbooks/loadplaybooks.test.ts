import t from "tap";
import { loadInventory } from "../../fleet/inventory.js";
import { loadPlaybooks } from "../../playbooks/engine/loadplaybooks.js";
import type { PlaybookContext, Resource } from "../../playbooks/engine/resource.js";
import { InvalidFileError, MusterError } from "../../schemas/errors.js";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { removeMarkerAfter } from "./localmarker.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
const file = shop.write("inventory.yaml", "nodes: {here: {connection: local}}\n");
const inventory = loadInventory(file);
const subject = { node: inventory.nodes[0], inventory, facts: {} } as unknown as PlaybookContext;

async function refusal(names: string[]): Promise<MusterError> {
  try {
    await loadPlaybooks(names, inventory);
  } catch (error) {
    if (error instanceof MusterError) return error;
    throw error;
  }
  throw new Error("was loaded");
}

t.test("a playbook in TypeScript, with a module beside it, without a build step", async (t) => {
  shop.write("playbooks/parts/names.ts", "export const names: readonly string[] = ['a', 'b'];\n");
  shop.write(
    "playbooks/mine.ts",
    `import { fileResource, type Playbook } from "muster";
     import { $ } from "zx";
     import { names } from "./parts/names.js";
     const mine: Playbook = function* ({ node }) {
       for (const name of names) yield fileResource({ path: \`/srv/\${node.name}/\${name}\`, content: typeof $ });
     };
     export default mine;`,
  );
  const [mine] = await loadPlaybooks(["mine", "mine"], inventory);
  const resources: Resource[] = [];
  for await (const resource of mine!.playbook(subject)) resources.push(resource);
  t.same(
    resources.map(({ name }) => name),
    ["file /srv/here/a", "file /srv/here/b"],
  );
});

t.test("a playbook in JavaScript is loaded, too", async (t) => {
  shop.write("playbooks/plain.mjs", "export default () => [];\n");
  t.equal((await loadPlaybooks(["plain"], inventory)).length, 1);
});

t.test("a playbook that cannot be loaded is reported with the reason and position", async (t) => {
  shop.write("playbooks/torn.ts", "export default function* () {\n  yield {;\n}\n");
  const torn = await refusal(["torn"]);
  t.ok(torn instanceof InvalidFileError);
  t.match(torn.message, /playbooks\/torn.ts:2:10: /);
  shop.write("playbooks/empty.ts", "export const x = 1;\n");
  t.match((await refusal(["empty"])).message, /empty.ts: the playbook empty has no function as its default export/);
  shop.write("playbooks/throws.ts", "throw new Error('at once');\n");
  t.match((await refusal(["throws"])).message, /throws.ts:1:7: cannot be loaded: at once/);
  shop.write("playbooks/lost.ts", 'import "./nothing.js";\n');
  t.match((await refusal(["lost"])).message, /lost.ts:1:8: there is no module .\/nothing.js/);
  const unknown = await refusal(["ramdsk"]);
  t.match(unknown, { exitStatus: 65, next: /ramdisk/ });
  t.match((await refusal(["../mine"])).message, /there is no playbook/);
});

t.test("this machine can be a node", async (t) => {
  removeMarkerAfter(t);
  const target = `${shop.folder}/it's $(here)`;
  shop.write(
    "playbooks/local.ts",
    `import { fileResource } from "muster";
     export default () => [fileResource({ path: ${JSON.stringify(target)}, content: "a\\nb\\n", mode: 0o600 })];`,
  );
  const run = (...words: string[]) => runMuster([...words, "local", "-i", file]);
  const found = await run("verify", "--diff");
  t.equal(found.code, 2, found.err);
  t.match(found.out, /^--- .*have\n\+\+\+ .*want\n@@ -0,0 \+1,2 @@\n\+a\n\+b$/m);
  t.equal((await run("provision")).code, 0);
  t.equal(shop.read("it's $(here)"), "a\nb\n");
  const quiet = await run("verify", "-q");
  t.match(quiet, { code: 0, out: "", err: "" });
  t.equal((await runMuster(["verify", "-i", file])).code, 64, "no playbook is named");
  t.match(await runMuster(["verify", "locall", "-i", file]), {
    code: 64,
    err: /no playbook "locall"\n +did you mean "local"/,
  });
});
