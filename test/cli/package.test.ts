import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { makePackage } from "./makepackage.js";
import { fetchNode } from "./nodeversions.js";
import { TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => {
  execFileSync("chmod", ["-R", "u+w", shop.folder]);
  shop.remove();
});

/** A muster that is installed in a folder that nobody can write to, and another user's home folder with an example. */
interface Installation {
  prefix: string;
  home: string;
  muster: (...words: string[]) => { status: number | null; stdout: string; stderr: string };
}

/** Installs the package without a network, with the Node.js of this process, or that in the folder `node`. */
function install(tarball: string, folder: string, node?: string): Installation {
  const path = node === undefined ? process.env.PATH : `${node}:${process.env.PATH}`;
  const prefix = join(folder, "prefix");
  execFileSync("npm", ["install", "--global", "--offline", "--prefix", prefix, tarball], {
    stdio: "pipe",
    // npm keeps compiled code in the folder for temporary files otherwise.
    env: { ...process.env, PATH: path, npm_config_cache: join(folder, "npm-cache"), NODE_DISABLE_COMPILE_CACHE: "1" },
  });
  execFileSync("chmod", ["-R", "a-w", prefix]);
  const home = join(folder, "home");
  mkdirSync(home);
  cpSync(join(prefix, "lib/node_modules/muster/examples/sieve"), join(home, "sieve"), { recursive: true });
  execFileSync("chmod", ["-R", "u+w", home]);
  const other = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  if ("uid" in other) execFileSync("chown", ["-R", "65534:65534", home]);
  const env = { PATH: path, HOME: home, MUSTER_LOCK_FOLDER: join(home, "locks") };
  const muster = (...words: string[]) =>
    spawnSync(join(prefix, "bin/muster"), words, { cwd: home, env, encoding: "utf8", ...other });
  return { prefix, home, muster };
}

function runFirstExample(t: Test, { home, muster }: Installation): void {
  const ran = muster("run", "-i", "local", "sieve/job.yaml", "--range", "270000:280000");
  t.match(ran, { status: 0, stdout: /complete/ }, ran.stderr);
  t.match(readFileSync(join(home, "sieve/runs/sieve/hits.json"), "utf8"), '"seed": 271828');
}

chmodSync(shop.folder, 0o755);
// Both are fetched while the package is made and tried.
const others = [22, 24].map((major) => {
  const folder = join(shop.folder, `node-${major}`);
  return { major, folder, missing: fetchNode(major, folder) };
});
const { tarball, version, manifests } = makePackage(shop.folder);
t.equal(...manifests, "package.json is as before");

t.test("the package installs without a network and runs from a read-only folder, also for another user", (t) => {
  const installation = install(tarball, shop.folder);
  const { prefix, home, muster } = installation;
  t.notOk(existsSync(join(prefix, "lib/node_modules/muster/node_modules")), "it has no dependencies");
  t.equal(muster("--version").stdout, version);
  runFirstExample(t, installation);

  // A playbook of the user needs the compiler, and muster's and zx's modules.
  mkdirSync(join(home, "playbooks"), { mode: 0o755 });
  const playbook = `import { fileResource, type Playbook } from "muster";
import { quote } from "zx";
const mine: Playbook = async function* () {
  yield fileResource({ path: ${JSON.stringify(join(home, "made"))}, content: quote("a b") });
};
export default mine;
`;
  writeFileSync(join(home, "playbooks/mine.ts"), playbook);
  chmodSync(home, 0o777);
  writeFileSync(
    join(home, "inventory.yaml"),
    JSON.stringify({ nodes: { here: { connection: "local" } }, playbooks: ["mine"] }),
  );
  const provisioned = muster("provision");
  t.equal(provisioned.status, 0, provisioned.stderr);
  t.equal(readFileSync(join(home, "made"), "utf8"), "$'a b'");
  t.end();
});

for (const { major, folder, missing } of others) {
  t.test(`the package installs and runs with Node.js ${major}`, async (t) => {
    const reason = await missing;
    if (reason !== undefined) return void t.pass("it is fetched", { skip: reason });
    t.match(execFileSync(join(folder, "node"), ["--version"], { encoding: "utf8" }), `v${major}.`);
    const installation = install(tarball, folder, folder);
    t.equal(installation.muster("--version").stdout, version);
    runFirstExample(t, installation);
  });
}
