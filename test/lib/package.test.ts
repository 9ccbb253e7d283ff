import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { makePackage } from "../cli/makepackage.js";
import { runMuster } from "../cli/startmuster.js";
import { findBlocks, readPage } from "../docs/pages.js";
import { projectRoot } from "../lab/project.js";
import { shareLab } from "../lab/sharedlab.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 2, gpus: 2 });
t.setTimeout(600_000);
/** A project of someone else. */
const project = join(shop.folder, "theirs");

/** Strict, and without what muster's own configuration allows. */
const CONFIGURATION = {
  compilerOptions: {
    target: "es2022",
    module: "nodenext",
    moduleResolution: "nodenext",
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    types: ["node"],
  },
};

const BLOCKS = findBlocks(readPage("docs/library.md"));
const programs = BLOCKS.filter(({ language }) => language === "ts").map(({ text }) => text);
const scripts = BLOCKS.filter(({ language }) => language === "python").map(({ text }) => text);

/** Runs a program in the project, and returns its exit status and output. */
function runThere(command: string, ...words: string[]) {
  const PATH = `${join(project, "node_modules/.bin")}:${process.env.PATH}`;
  const env = { ...process.env, PATH, PYTHONPATH: join(projectRoot(), "templates/worker") };
  return spawnSync(command, words, { cwd: project, env, encoding: "utf8" });
}

/** Ends what an example leaves on the nodes. */
async function cancel(run: string): Promise<void> {
  await runMuster(["cancel", join(project, "runs", run), "-i", inventory]);
}

t.test(
  "the package is a library for a strict project of others, and the examples of its page run",
  { skip },
  async (t) => {
    const { tarball } = makePackage(shop.folder);
    shop.write("theirs/package.json", { name: "theirs", private: true, type: "module" });
    const npm = { ...process.env, npm_config_cache: join(shop.folder, "npm-cache") };
    execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball], {
      cwd: project,
      env: npm,
      stdio: "pipe",
    });
    t.same(
      readdirSync(join(project, "node_modules")).filter((name) => !name.startsWith(".")),
      ["muster"],
    );
    for (const name of ["@types", "undici-types"])
      symlinkSync(join(projectRoot(), "node_modules", name), join(project, "node_modules", name));
    symlinkSync(inventory, join(project, "inventory.yaml"));
    shop.write("theirs/tsconfig.json", CONFIGURATION);
    t.equal(programs.length, 3);
    programs.forEach((text, index) => void shop.write(`theirs/program${index}.ts`, text));
    const misused = `import { run } from "muster";
const one = await run({ kind: "matrix", matriz: {} });
for await (const { chunk } of one) console.log(chunk.length, (await one.finished).meaning === "ready");
`;
    const compiler = join(projectRoot(), "node_modules/typescript/bin/tsc");
    const compiled = runThere("node", compiler);
    t.equal(compiled.status, 0, compiled.stdout);

    const squares = runThere("node", "program0.js");
    t.match(squares, { status: 0, stderr: "" }, squares.stderr);
    t.match(squares.stdout, /^7 squared is 49, says node\d after [\d.]+ s$/m);
    t.match(squares.stdout, /^done: 4 chunks$/m);
    const waiting = runThere("node", "program1.js");
    t.match(waiting, { status: 0, stdout: "interrupted: it can be resumed\n", stderr: "" });
    await cancel("waiting");
    t.match(runThere("node", "program2.js"), { status: 0, stdout: "the least value is 0\n", stderr: "" });

    shop.write("theirs/misused.ts", misused);
    const refused = runThere("node", compiler);
    t.match(refused.stdout, /misused\.ts\(2,.*matriz/);
    t.match(refused.stdout, /misused\.ts\(3,.*"ready"/);
  },
);

t.test("the examples in Python run with the installed muster", { skip }, async (t) => {
  t.equal(scripts.length, 3);
  const cubes = runThere("python3", "-c", scripts[0]!);
  t.match(cubes, { status: 0, stderr: "" }, cubes.stderr);
  t.match(cubes.stdout, /^7 cubed is 343 says node\d after [\d.]+ s$/m);
  t.match(cubes.stdout, /^done 4$/m);
  t.match(runThere("python3", "-c", scripts[2]!), { status: 0, stdout: "the greatest value is 9\n", stderr: "" });
  const naps = runThere("python3", "-c", scripts[1]!);
  await cancel("naps");
  t.match(naps, { status: 0, stderr: "" }, naps.stderr);
  t.match(naps.stdout, /^interrupted interrupted \d+\nINVALID_FILE \[.*'\/tasks\/0\/argz'.*\]$/m);
});

t.test("the library shares its parts with the command line", { skip }, async (t) => {
  const installed = join(project, "node_modules/muster/dist/bundle");
  const sizeOf = (name: string) => statSync(join(installed, name)).size;
  t.ok(sizeOf("lib/index.js") + sizeOf("lib/index.d.ts") < 150_000);
});

const inPackage = (name: string) => join(project, "node_modules/muster/dist/bundle/lib", name);

t.test("what the types declare is what programs and playbooks import", { skip }, async (t) => {
  const declared = /^export \{ (.*) \};\n$/m.exec(readFileSync(inPackage("index.d.ts"), "utf8"))![1]!.split(", ");
  const values = declared.filter((name) => !name.startsWith("type ")).map((name) => name.replace(/^\w+ as /, ""));
  t.same(Object.keys(await import(inPackage("index.js"))).sort(), values.sort());
  for (const name of ["packages", "service", "file", "run", "checkPlaybook"]) t.ok(values.includes(name), name);
  for (const name of ["Playbook", "Resource", "RunSettings"]) t.ok(declared.includes(`type ${name}`), name);
  shop.write(
    "theirs/playbooks/names.ts",
    `import * as muster from "muster";
     const probe = { ask: "space", path: "/" };
     export default () => Object.keys(muster).map((name) => ({ name, probe, diff: () => [] }));`,
  );
  const verified = runThere("muster", "verify", "names", "-i", "local", "--json");
  t.equal(verified.status, 0, verified.stderr);
  const { nodes } = JSON.parse(verified.stdout) as { nodes: { resources: { resource: string }[] }[] };
  t.same(
    nodes[0]!.resources.map(({ resource }) => resource).sort(),
    values.sort(),
    "a playbook gets the same at run time",
  );
});

t.test("a playbook that init writes is checked by the compiler, in a folder without a package", { skip }, async (t) => {
  shop.write("elsewhere/notes.txt", "");
  const cwd = join(shop.folder, "elsewhere");
  const muster = join(project, "node_modules/.bin/muster");
  const start = (command: string, ...words: string[]) =>
    spawnSync(command, words, { cwd, env: { ...process.env, HOME: cwd }, encoding: "utf8" });
  const made = start(muster, "init", "playbook", "mine");
  t.match(made, {
    status: 0,
    stdout:
      /^written: playbooks\/mine\.ts, playbooks\/tsconfig\.json, playbooks\/node_modules\/muster\nnext: muster verify mine /,
    stderr: "",
  });
  const compile = () => start("node", join(projectRoot(), "node_modules/typescript/bin/tsc"), "-p", "playbooks");
  t.match(compile(), { status: 0, stdout: "" });
  t.equal(start(muster, "verify", "mine", "-i", "local").status, 2);

  const second = start(muster, "init", "playbook", "second");
  t.match(second, { status: 0, stdout: /^written: playbooks\/second\.ts\n/ }, "what is there is kept");
  t.match(start(muster, "init", "playbook", "second"), { status: 64, stderr: /second\.ts exists/ });

  const example = findBlocks(readPage("docs/playbooks.md")).filter(({ language }) => language === "ts");
  example.forEach(({ text }, index) => void shop.write(`elsewhere/playbooks/example${index}.ts`, text));
  t.match(compile(), { status: 0, stdout: "" }, "the examples of the page");
  const wrong = `import { file, type Playbook, packages, service } from "muster";
const wrong: Playbook = function* () {
  yield service({ name: "sshd", runing: true });
  yield file({ pth: "/etc/motd", content: "" });
  yield packages({ curl: 5 });
  yield { name: "x", probe: { ask: "comand" }, diff: () => [] };
};
export default wrong;
`;
  shop.write("elsewhere/playbooks/wrong.ts", wrong);
  const refused = compile().stdout;
  for (const problem of [/^\S+\(3,.*runing/m, /^\S+\(4,.*pth/m, /^\S+\(5,/m, /^\S+\(2,[\s\S]*"comand"/m])
    t.match(refused, problem);
});

t.test("tests of an author check a playbook with the package", { skip }, async (t) => {
  const home = join(shop.folder, "elsewhere");
  shop.write("elsewhere/inventory.yaml", "nodes: {here: {connection: local}}\n");
  const [text] = findBlocks(readPage("docs/playbooks.md"))
    .filter(({ language }) => language === "js")
    .map((block) => block.text);
  shop.write("elsewhere/playbooks/test/workspace.test.mjs", text!);
  shop.write(
    "elsewhere/playbooks/workspace.ts",
    findBlocks(readPage("docs/playbooks.md")).find((one) => one.language === "ts" && one.text.includes("git config"))!
      .text,
  );
  const ran = spawnSync("node", ["--test", "playbooks/test/workspace.test.mjs"], {
    cwd: home,
    env: { ...process.env, HOME: home, NODE_TEST_CONTEXT: undefined },
    encoding: "utf8",
  });
  t.equal(ran.status, 0, ran.stdout + ran.stderr);
});
