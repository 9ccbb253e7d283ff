import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { decodeInline } from "./agentdriver.js";
import { BuildNode } from "./builddriver.js";

t.setTimeout(600_000);

t.test(
  "a build runs once; its outputs lie over the project in every attempt, and later runs use them again",
  async (t) => {
    const node = new BuildNode(t);
    const attachment = await node.attach("r1", { slots: [0, 1].map((slot) => ({ slot, env: {} })) });
    const files = { "source.txt": "source\n", old: "a file where the build makes a folder\n", tool: "stale\n" };
    const tree = attachment.stageTree(files);
    const script = `${node.note}
test ! -e tool || exit 9
rm old; mkdir -p old/lib
printf 'int' > old/lib/a.so; ln -s a.so old/lib/b.so
{ echo '#!/bin/sh'; echo 'echo tool of'; echo 'cat source.txt'; } > tool; chmod +x tool; echo unused > scrap`;
    const built = await attachment.build(script, ["tool", "old/"], { tree });
    t.match(built, { cached: false, key: /^[0-9a-f]{64}$/ });
    for (const [index, slot] of [0, 1, 0].entries()) {
      const check = "./tool; cat old/lib/b.so; readlink old/lib/b.so; ls; echo broken > tool; rm -r old";
      const done = await attachment.run(`a${index}`, check, { tree, build: built.key }, slot);
      t.equal(decodeInline(done.stdout), "tool of\nsource\ninta.so\nold\nsource.txt\ntool\n", `slot ${slot}`);
    }
    const other = await node.attach("r2");
    const again = await other.build(script, ["tool", "old/"], { tree: other.stageTree(files) });
    t.match(again, { cached: true, key: built.key });
    t.equal(again.log, undefined);
    const done = await other.run("b", "./tool", { tree, build: again.key });
    t.equal(decodeInline(done.stdout), "tool of\nsource\n");
    t.equal(node.count(), 1);
    t.same(readdirSync(join(other.folder.root, "w")), ["0"], "the working copy of the build is gone");
  },
);

t.test("whatever the result depends on makes another build", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  const bin = join(node.workdir, "bin");
  mkdirSync(bin);
  const setCompiler = (version: string) =>
    writeFileSync(join(bin, "clang"), `#!/bin/sh\necho clang ${version}\n`, { mode: 0o755 });
  setCompiler("15");
  const PATH = `${bin}:/usr/bin:/bin`;
  const build = (more = {}) => attachment.build(`${node.note}; echo $X > f`, ["f"], { env: { PATH }, ...more });
  const keys = [await build()];
  keys.push(await build({ env: { PATH, X: "1" } }));
  keys.push(await build({ gpu: "amd RX 6600" }));
  keys.push(await build({ tree: attachment.stageTree({ "source.txt": "other\n" }) }));
  keys.push(await attachment.build(`${node.note}; echo $X > f; true`, ["f"], { env: { PATH } }));
  t.match(await build({ timeout: 7 }), { cached: true, key: keys[0]!.key }, "the timeout does not count");
  setCompiler("16");
  const other = await node.attach("r2");
  keys.push(await other.build(`${node.note}; echo $X > f`, ["f"], { env: { PATH } }));
  t.equal(new Set(keys.map(({ key }) => key)).size, keys.length);
  t.equal(node.count(), keys.length);
});

t.test("two runs that need the same build make it once", async (t) => {
  const node = new BuildNode(t);
  const both = await Promise.all([node.attach("r1"), node.attach("r2")]);
  const script = `${node.note}; while [ ! -e ${node.workdir}/go ]; do sleep 0.1; done; echo x > f`;
  const ids = both.map((one) => one.sendBuild(script, ["f"]));
  await waitUntil("one builds", () => node.count() === 1);
  const pinged = both.map((one) => {
    one.send({ op: "ping" });
    return one.waitFor(({ ev }) => ev === "pong");
  });
  await Promise.all(pinged);
  writeFileSync(join(node.workdir, "go"), "");
  const built = await Promise.all(both.map((one, index) => one.waitForBuilt(ids[index]!)));
  t.same(built.map(({ cached }) => cached).sort(), [false, true]);
  t.equal(node.count(), 1);
});

t.test("a result that was damaged is built again", async (t) => {
  const node = new BuildNode(t);
  const builds = join(node.workdir, "cache", "builds");
  const damages: [string, (folder: string) => void][] = [
    ["a content", (folder) => appendFileSync(join(folder, contentIn(folder)), "x")],
    ["a missing content", (folder) => rmSync(join(folder, contentIn(folder)))],
    ["no manifest", (folder) => rmSync(join(folder, "manifest.json"))],
    ["half a manifest", (folder) => writeFileSync(join(folder, "manifest.json"), '{"files":[["f",')],
    [
      "another manifest",
      (folder) => writeFileSync(join(folder, "manifest.json"), '{"files":[["../f",33188,0,"x",1]]}'),
    ],
  ];
  for (const [index, [what, damage]] of damages.entries()) {
    const attachment = await node.attach(`run-${index}`);
    const built = await attachment.build(`${node.note}; echo good > f`, ["f"]);
    t.match(built, { cached: false }, what);
    t.equal(node.count(), index + 1, what);
    const done = await attachment.run("a", "cat f", { tree: attachment.stageTree(), build: built.key });
    t.equal(decodeInline(done.stdout), "good\n");
    damage(join(builds, built.key!));
  }
});

/** The name of the only content of a result. */
function contentIn(folder: string): string {
  return readdirSync(folder).find((name) => name !== "manifest.json")!;
}

t.test("a content that is lost in the run's store is taken from the cache again", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  const tree = attachment.stageTree();
  const build = () => attachment.build(`${node.note}; echo made > f`, ["f"]);
  const { key } = await build();
  rmSync(join(attachment.folder.root, "store", contentIn(join(node.workdir, "cache", "builds", key!))));
  attachment.start("a", { tree, build: key }, ["cat f"]);
  await attachment.waitFor(({ ev }) => ev === "lacks");
  t.match(await attachment.waitForDone("a"), { cancelled: true });
  t.match(await build(), { cached: true, key });
  t.equal(decodeInline((await attachment.run("b", "cat f", { tree, build: key })).stdout), "made\n");
  t.equal(node.count(), 1);
});

t.test("outputs are files, folders or globs; links that lead inside stay links", async (t) => {
  const node = new BuildNode(t);
  const attachment = await node.attach();
  const script = `mkdir -p sub/deep && cd sub && echo 1 > a.o && echo 2 > b.o && echo 3 > deep/c.o && ln -s ../source.txt up && chmod 555 a.o`;
  const tree = attachment.stageTree({ "source.txt": "source\n", "sub/old.o": "an old object\n" });
  const { key } = await attachment.build(script, ["sub/*.o", "sub/up"], { tree });
  const done = await attachment.run("a", "find . | sort; cat sub/up; stat -c %a sub/a.o", { tree, build: key });
  const names = [".", "./source.txt", "./sub", "./sub/a.o", "./sub/b.o", "./sub/old.o", "./sub/up"];
  t.equal(decodeInline(done.stdout), `${names.join("\n")}\nsource\n755\n`);
  const inFolder = await attachment.build("echo x > x; pwd > where", ["x", "where"], { tree, cwd: "sub" });
  const found = await attachment.run("b", "cat x; basename $(cat where)", { tree, build: inFolder.key, cwd: "sub" });
  t.equal(decodeInline(found.stdout), "x\nsub\n");
  const nothing = await attachment.build(node.note, []);
  t.match(nothing, { cached: false, key: /./ }, "a build without outputs, such as one that fills a cache");
  t.match(await (await node.attach("r2")).build(node.note, []), { cached: true });
});

t.test("a build is within the budget of the cache: the results that were used last are kept", async (t) => {
  const node = new BuildNode(t);
  const builds = join(node.workdir, "cache", "builds");
  const attachment = await node.attach("r1", { cache: 1 << 20 });
  const old = Array.from({ length: 5 }, (_, index) => `${index}`.padStart(64, "0"));
  mkdirSync(builds, { recursive: true, mode: 0o700 });
  for (const [index, name] of old.entries()) {
    mkdirSync(join(builds, name));
    writeFileSync(join(builds, name, "content"), Buffer.alloc(300_000));
    utimesSync(join(builds, name), 1000 + index, 1000 + index);
  }
  mkdirSync(join(builds, `${"f".repeat(64)}.part`));
  const { key } = await attachment.build("echo x > f", ["f"]);
  await waitUntil("what was stored in part is deleted", () => !existsSync(join(builds, `${"f".repeat(64)}.part`)));
  t.equal(lstatSync(builds).mode & 0o777, 0o700);
  await attachment.stop();
  t.same(readdirSync(builds).sort(), [...old.slice(2), key, `${key}.lock`].sort());
});
