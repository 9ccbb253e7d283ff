import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";

/** From the top down: a file imports from its own floor and from those after it. */
const FLOORS = [
  "cli",
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
/** The same within deciding. */
const DECIDING = ["plan/", "scheduler.", "placement.", "attempts/", "queue/", "slots/", "rates/", "events."].map(
  (name) => `executor/schedule/${name}`,
);
/** The one folder, or file, that knows each of these packages. */
const KNOWN_BY: Record<string, string> = {
  yaml: "schemas/",
  "jsonc-parser": "playbooks/manifest/jsonpointer.ts",
  ajv: "schemas/compile.ts",
  commander: "cli/",
  croner: "executor/cron/expression.ts",
  "log-update": "report/progresstty.ts",
  "get-east-asian-width": "report/columns.ts",
  ssh2: "fleet/ssh/",
  "ssh2-sftp-client": "fleet/ssh/",
  diff: "playbooks/engine/unifieddiff.ts",
  typescript: "playbooks/engine/importmodule.ts",
};
/** Longest file, in lines. */
const LONGEST = 300;

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const filesOf = (floor: string) =>
  readdirSync(join(root, floor), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => ({ floor, path: join(floor, name), text: readFileSync(join(root, floor, name), "utf8") }));
const files = FLOORS.flatMap(filesOf);

const imports = (text: string) => [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1]!);

t.test("a file imports only from its own floor and from floors below", async (t) => {
  for (const order of [FLOORS.map((floor) => `${floor}/`), DECIDING]) {
    const level = (path: string) => order.findIndex((one) => path.startsWith(one));
    for (const { path, text } of files)
      for (const name of imports(text).filter((one) => one.startsWith("."))) {
        const target = relative(root, join(root, dirname(path), name));
        if (level(target) !== -1 && level(target) < level(path)) t.fail(`${path} imports ${target}`);
      }
  }
  t.ok(files.length > 50, `${files.length} files`);
});

t.test("one place knows each package", async (t) => {
  for (const { path, text } of files)
    for (const name of imports(text)) {
      const owner = KNOWN_BY[name.split("/")[0]!];
      if (owner !== undefined && !path.startsWith(owner)) t.fail(`${path} imports ${name}, which only ${owner} should`);
    }
  t.pass("packages");
});

t.test("what is built where only muster runs imports none of what only its development needs", async (t) => {
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

t.test("only cli/ prints and exits, and deciding has no clock and no chance in it", async (t) => {
  for (const { floor, path, text } of files) {
    if (floor !== "cli" && /\bconsole\.|process\.exit\b|process\.stdout/.test(text)) t.fail(`${path} prints or exits`);
    if (floor === "executor/schedule" && /Date\.|performance\.|Math\.random|node:fs|setTimeout/.test(text))
      t.fail(`${path} is not pure`);
  }
  t.pass("edges");
});

t.test("files stay small", async (t) => {
  const all = [...files, ...["test", "bench"].flatMap(filesOf)];
  for (const { path, text } of all.filter((one) => !/^schemas\/(protocol)?types.ts$/.test(one.path))) {
    const lines = text.split("\n").length;
    if (lines > LONGEST) t.fail(`${path} has ${lines} lines`);
  }
  t.pass("sizes");
});
