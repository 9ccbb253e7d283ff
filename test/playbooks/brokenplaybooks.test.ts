import t from "tap";
import { checkPlaybook } from "../../lib/checkplaybook.js";
import { TestFolder } from "../cli/startmuster.js";
import { removeMarkerAfter } from "./localmarker.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
removeMarkerAfter(t);
const inventory = shop.write("inventory.yaml", "nodes: {here: {connection: local}}\n");

const DRIFT = `diff: () => [{ what: "a", have: "b", want: "c" }]`;
const PROBE = `probe: { ask: "file", path: "/nowhere", cap: 0 }`;
const inGenerator = (line: string) => `import { file, lines } from "muster";
interface Types { have: unknown }
export default function* ({ node }) {
  ${line}
}
`;

/** What an author writes, and what muster says, after the path of the file. */
const BROKEN: Record<string, [text: string, says: RegExp]> = {
  syntax: [inGenerator('yield file({ path: "/x" ;'), /^:4:\d+: .*expected/],
  "wrong import": [
    'import { fil } from "muster";\nexport default () => [fil];',
    /^:1:10: "muster" does not export fil\n.*"file"/,
  ],
  "unknown package": [
    '\nimport _ from "lodash";\nexport default () => [_];',
    /^:2:15: .*cannot import the package "lodash"$/,
  ],
  "no such module": ['import "./nothing.js";', /^:1:8: there is no module \.\/nothing\.js$/],
  "throws when loaded": [
    "type Text = string;\nconst none: any = undefined;\nnone.x;",
    /^:3:6: cannot be loaded: .*reading 'x'/,
  ],
  "no generator": ["export default function () { return 3; }", /^: the playbook must yield resources/],
  "no resource": [inGenerator('yield "/x";'), /^: a resource must be an object, not "\/x"/],
  "unknown key": [
    inGenerator(`yield { name: "x", probb: 1, diff: () => [] };`),
    /^:4:3: the resource "x" has an unknown key "probb"/,
  ],
  "no name": [inGenerator(`yield { ${PROBE}, diff: () => [] };`), /^:4:3: a resource has no name/],
  "unknown probe": [
    inGenerator(`yield { name: "x", probe: { ask: "comand" }, diff: () => [] };`),
    /^:4:3: the probe of the resource "x" asks for "comand"/,
  ],
  "wrong type in a probe": [
    inGenerator(`yield { name: "x", probe: { ask: "command", argv: "id -u", timeout: 1 }, diff: () => [] };`),
    /^:4:3: argv of the probe of the resource "x" \(ask: "command"\) must be a list of texts.*, not "id -u"/,
  ],
  "no path": [inGenerator(`yield file({ pth: "/x", content: "" });`), /^:4:3: the probe of .* has no path/],
  "wrong content": [inGenerator(`yield file({ path: "/x", content: node.nothing });`), /^:4:9: .*undefined/],
  "wrong lines": [inGenerator(`yield lines({ path: "/x", lines: [{}] });`), /^:4:9: lines\.\/x\[0\] needs exactly one/],
  "throws in the generator": [
    inGenerator("yield node.x.y;"),
    /^:4:16: Cannot read properties of undefined \(reading 'y'\)/,
  ],
  "throws in diff": [
    inGenerator(`yield { name: "x", ${PROBE},\n    diff: (have: Types) => have.have.x };`),
    /^:5:38: Cannot read properties of undefined \(reading 'x'\)/,
  ],
  "diff returns no list": [inGenerator(`yield { name: "x", ${PROBE}, diff: () => true };`), /^:4:3: diff .* not true/],
  "diff is async": [inGenerator(`yield { name: "x", ${PROBE}, diff: async () => [] };`), /^:4:3: diff .* a promise/],
  "no text in a difference": [
    inGenerator(`yield { name: "x", ${PROBE}, diff: () => [{ what: "a", have: 3, want: "c" }] };`),
    /^:4:3: have of a difference .* must be text, not 3/,
  ],
  "notes are no list": [
    inGenerator(`yield { name: "x", ${PROBE}, diff: () => [], notes: () => "x" };`),
    /^:4:3: notes .*"x"/,
  ],
  "throws in change": [
    inGenerator(`yield { name: "x", ${PROBE}, ${DRIFT},\n    change: async (_, { plce }) => plce({}) };`),
    /^:5:36: plce is not a function/,
  ],
  "a command fails": [
    inGenerator(`yield { name: "x", ${PROBE}, ${DRIFT}, change: async (_, { $ }) => void (await $\`ls /no/where\`) };`),
    /^:4:\d+: a command failed \(exit \d\): .*\/no\/where/,
  ],
};

for (const [name, [text, says]] of Object.entries(BROKEN))
  t.test(`the message of a broken playbook: ${name}`, async (t) => {
    const playbook = name.replaceAll(" ", "-");
    const file = shop.write(`playbooks/${playbook}.ts`, text);
    const message = await checkPlaybook(playbook, { inventory }).then(
      ({ problems }) => problems.join("\n"),
      (error: Error) => error.message,
    );
    const at = message.indexOf(file);
    t.not(at, -1, message);
    t.match(message.slice(at + file.length).replace(/; a is b.*|\)$/g, ""), says);
    t.notMatch(message, /\n {4}at |muster-playbook-/);
  });

t.test("an error in a module that a playbook imports has the place there", async (t) => {
  const file = shop.write(
    "playbooks/parts/x.ts",
    "type T = string;\nexport function* x() {\n  yield (null as any).b;\n}\n",
  );
  shop.write("playbooks/outer.ts", 'import { x } from "./parts/x.js";\nexport default function* () { yield* x(); }\n');
  const { problems } = await checkPlaybook("outer", { inventory });
  t.match(problems[0], `${file}:3:`);
});

t.test("import.meta.url is that of the author's file", async (t) => {
  const target = `${shop.folder}/made`;
  shop.write("playbooks/motd.txt", "hello\n");
  shop.write(
    "playbooks/beside.ts",
    `import { copiedFile } from "muster";
     export default () => [
       copiedFile({ path: ${JSON.stringify(target)}, source: new URL("motd.txt", import.meta.url).pathname }),
     ];`,
  );
  t.same((await checkPlaybook("beside", { inventory })).problems, []);
  t.equal(shop.read("made"), "hello\n");
});
