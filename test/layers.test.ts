import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

/** From the top down: a file imports only from its own layer and from layers below. cli/ and lib/ are peers. */
const LAYERS = [
  "cli",
  "lib",
  "launch",
  "report",
  "playbooks",
  "executor/pipeline",
  "executor/cron",
  "executor/run",
  "executor/schedule",
  "executor/job",
  "fleet",
  "schemas",
  "templates",
];
/** The layers within the scheduler. */
const SCHEDULER_LAYERS = [
  "plan/",
  "scheduler.",
  "placement.",
  "halting/",
  "attempts/",
  "queue/",
  "slots/",
  "rates/",
  "events.",
].map((name) => `executor/schedule/${name}`);
/** The layers within a run. */
const RUN_LAYERS = ["follow/", "results/", "node/", "record/", "agent/"].map((name) => `executor/run/${name}`);
/** The only folder, or file, that may import each of these packages. */
const OWNERS: Record<string, string | string[]> = {
  yaml: "schemas/",
  "jsonc-parser": "playbooks/manifest/jsonpointer.ts",
  ajv: "schemas/compile.ts",
  esbuild: "cli/bundle.ts",
  commander: "cli/",
  croner: "executor/cron/expression.ts",
  "log-update": "report/livescreen.ts",
  "get-east-asian-width": "report/columns.ts",
  ssh2: "fleet/ssh/",
  "ssh2-sftp-client": "fleet/ssh/",
  diff: "playbooks/engine/unifieddiff.ts",
  typescript: ["playbooks/engine/transpiler.ts", "cli/declarations.ts"],
  ignore: "executor/job/project/gitignore.ts",
  picomatch: "executor/job/project/projectscope.ts",
};
const MAX_FILE_LINES = 300;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const filesOf = (layer: string) =>
  readdirSync(join(root, layer), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ layer, path: join(layer, name), text: readFileSync(join(root, layer, name), "utf8") }));
const files = LAYERS.flatMap(filesOf);

const imports = (text: string) => [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);

/** Returns the strongly connected components with a cycle (Tarjan, 1972). */
function findCycles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string) => {
    index.set(file, index.size);
    low.set(file, index.get(file)!);
    stack.push(file);
    for (const target of graph.get(file) ?? []) {
      if (!index.has(target)) visit(target);
      if (stack.includes(target)) low.set(file, Math.min(low.get(file)!, low.get(target)!));
    }
    if (low.get(file) !== index.get(file)) return;
    const component = stack.splice(stack.indexOf(file)).reverse();
    if (component.length > 1 || graph.get(file)?.includes(file)) cycles.push(component);
  };
  for (const file of graph.keys()) if (!index.has(file)) visit(file);
  return cycles;
}

t.test("a file imports only from its own layer and from layers below", async (t) => {
  for (const order of [LAYERS.map((layer) => `${layer}/`), SCHEDULER_LAYERS, RUN_LAYERS]) {
    const level = (path: string) => order.findIndex((one) => path.startsWith(one));
    for (const { path, text } of files)
      for (const name of imports(text).filter((one) => one.startsWith("."))) {
        const target = relative(root, join(root, dirname(path), name));
        if (level(target) !== -1 && level(target) < level(path)) t.fail(`${path} imports ${target}`);
      }
  }
  for (const { path, text } of files.filter(({ layer }) => layer === "cli"))
    if (imports(text).some((name) => name.startsWith("../lib/"))) t.fail(`${path} imports from its peer lib/`);
  t.ok(files.length > 50, `${files.length} files`);
});

t.test("no file imports itself, directly or through others, not even types or dynamically", async (t) => {
  const graph = new Map(
    files.map(({ path, text }) => [
      path,
      imports(text)
        .filter((name) => name.startsWith("."))
        .map((name) => join(dirname(path), name).replace(/\.js$/, ".ts")),
    ]),
  );
  const cycles = findCycles(graph).map((cycle) => [...cycle].sort().join(" "));
  for (const cycle of cycles) t.fail(`import cycle: ${cycle}`);
  t.same(findCycles(new Map(Object.entries({ a: ["b"], b: ["c"], c: ["b", "d"], d: ["d"], e: [] }))), [
    ["d"],
    ["c", "b"],
  ]);
});

t.test("only the owner of a package imports it", async (t) => {
  for (const { path, text } of files)
    for (const name of imports(text)) {
      const owners = [OWNERS[name.split("/")[0]!] ?? []].flat();
      if (owners.length > 0 && !owners.some((owner) => path.startsWith(owner)))
        t.fail(`${path} imports ${name}, which only ${owners.join(" and ")} may import`);
    }
  t.pass("packages");
});

t.test("code that is built for users imports only runtime dependencies", async (t) => {
  const read = (name: string) => JSON.parse(readFileSync(join(root, name), "utf8"));
  const { dependencies } = read("package.json") as { dependencies: Record<string, string> };
  const { exclude } = read("tsconfig.build.json") as { exclude: string[] };
  for (const { path, text } of files.filter((one) => !exclude.includes(one.path)))
    for (const name of imports(text).filter((one) => /^(?!node:|muster$)[@a-z][\w@./-]*$/.test(one))) {
      const owner = name.startsWith("@") ? name.split("/").slice(0, 2).join("/") : name.split("/")[0]!;
      if (dependencies[owner] === undefined) t.fail(`${path} imports ${name}`);
    }
  t.pass("imports");
});

/** It ends programs of this process when that exits: not a signal, and nothing that a caller could notice. */
const EXIT_LISTENER = "fleet/ssh/proxycommands.ts";

t.test("only cli/ handles signals and changes the process, because lib/ runs in those of others", async (t) => {
  const changes =
    /process\.(on|once|chdir|umask|exitCode|title|emitWarning)\b|process\.env(\.\w+|\[[^\]]+\]) = |\bsetFlagsFromString\b/;
  for (const { layer, path, text } of files)
    if (layer !== "cli" && path !== EXIT_LISTENER && changes.test(text)) t.fail(`${path} changes the process`);
  t.match('process.env.HOME = "x"', changes);
  t.match("process.on(", changes);
});

t.test("only cli/ prints and exits, and the scheduler is pure: no clock, no randomness, no I/O", async (t) => {
  for (const { layer, path, text } of files) {
    if (layer !== "cli" && /\bconsole\.|process\.exit\b|process\.stdout/.test(text)) t.fail(`${path} prints or exits`);
    if (layer === "executor/schedule" && /Date\.|performance\.|Math\.random|node:fs|setTimeout/.test(text))
      t.fail(`${path} is not pure`);
  }
  t.pass("edges");
});

t.test("files stay small", async (t) => {
  const all = [...files, ...["test", "bench"].flatMap(filesOf)];
  for (const { path, text } of all.filter((one) => !/^schemas\/(protocol)?types.ts$/.test(one.path))) {
    const lines = text.split("\n").length;
    if (lines > MAX_FILE_LINES) t.fail(`${path} has ${lines} lines`);
  }
  t.pass("sizes");
});
