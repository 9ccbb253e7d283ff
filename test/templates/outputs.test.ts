import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, AgentFolder, attachAgent, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

t.test("each slot has its own copy of a staged file; large ones are read-only links", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const tool = "#!/bin/sh\necho ran\n";
  const [sha256, large] = [folder.stage(tool), folder.stage(Buffer.alloc(5 << 20, "x"))];
  const files: [string, string, number, number][] = [
    ["bin/tool", sha256, 0o755, tool.length],
    ["data/plain", sha256, 0o644, tool.length],
    ["data/large", large, 0o644, 5 << 20],
    ["data/own", large, 0o644, 5 << 20],
  ];
  const script =
    "bin/tool; stat -c %a,%h bin/tool data/plain data/large data/own; echo more >> data/plain; ls deep/er -d";
  const spec = { files, outputs: ["data/own", "deep/er/none"] };
  const first = await attachment.run("first", script, spec);
  const expected = ["ran", "755,1", "644,1", ["444,2", "444,1"], "644,1", "deep/er"];
  const lines = decodeInline(first.stdout).trim().split("\n");
  for (const [index, line] of lines.entries()) t.ok([expected[index]].flat().includes(line), `${line} at ${index}`);
  t.same(first.missing, ["deep/er/none"]);
  t.equal(readFileSync(join(folder.root, "store", sha256), "utf8"), tool, "the staged file is unchanged");
  const second = await attachment.run("second", "tail -n 1 data/plain", spec);
  t.equal(decodeInline(second.stdout), "echo ran\n", "what the first attempt changed is reset");
});

t.test("small outputs are sent inline, large ones are hashed, links and folders are missing", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const outputs = ["small", "middle", "big", "empty", "link", "via/file", "folder", "fifo", "none"];
  const script = [
    "rmdir via",
    "printf hello > small; head -c 5000 /dev/zero > middle; head -c 3000000 /dev/zero > big; : > empty",
    "ln -s small link; mkdir folder real; : > real/file; ln -s real via; mkfifo fifo",
  ].join("; ");
  const done = await attachment.run("outputs", script, { outputs });
  t.equal(done.exit, 0, done.tail);
  t.same(done.missing.sort(), [
    "fifo (it is no regular file)",
    "folder (it is a folder, not a file)",
    "link (it is a link: have the program write a file there)",
    "none",
    "via/file (via is a link, not a folder)",
  ]);
  t.same(done.written, ["real/file"], "the file with the name of a missing output");
  const by = new Map(done.outputs.map((one) => [one.path, one]));
  for (const [path, content] of [
    ["small", Buffer.from("hello")],
    ["middle", Buffer.alloc(5000)],
    ["big", Buffer.alloc(3000000)],
    ["empty", Buffer.alloc(0)],
  ] as const) {
    t.equal(by.get(path)?.size, content.length);
    t.equal(by.get(path)?.sha256, createHash("sha256").update(content).digest("hex"));
    t.equal(by.get(path)?.data, content.length <= 4096 ? content.toString("base64") : undefined);
  }
  t.ok(existsSync(join(folder.root, "a/outputs/work/big")), "it stays until it is acknowledged");
  attachment.send({ op: "ack", ids: ["outputs", "unknown"] });
  await waitUntil("the attempt is deleted", () => folder.listAttempts().length === 0);
});

t.test("files that a chunk left in other places are deleted, too", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  await attachment.run("mess", "mkdir -p x/y; : > x/y/z; : > declared; chmod 0 x/y x", {
    outputs: ["declared", "gone"],
  });
  attachment.send({ op: "ack", ids: ["mess"] });
  await waitUntil("the attempt is deleted", () => folder.listAttempts().length === 0);
});

t.test("a log that grows too long is cut while the chunk runs, and says so", async (t) => {
  const { folder, attachment } = await attachAgent(t, { log: 10000 });
  attachment.start("noisy", {}, [
    "echo first; head -c 5000000 /dev/zero | tr '\\0' x; sleep 2.5; echo end; echo end >&2",
  ]);
  await waitUntil("it is capped while it runs", () => {
    const file = join(folder.root, "a/noisy/out");
    const { size, blocks } = statSync(file, { throwIfNoEntry: false }) ?? { size: 0, blocks: 0 };
    return size > 5_000_000 && blocks * 512 <= 32768;
  });
  const done = await attachment.waitForDone("noisy");
  t.ok(done.stdout.size <= 10000, `${done.stdout.size}`);
  const log = readFileSync(join(folder.root, "a/noisy/out"), "utf8");
  t.ok(log.startsWith("first\n"));
  t.match(log, /\[muster: this log grew past 10000 bytes/);
  t.ok(log.endsWith("end\n"));
  t.equal(decodeInline(done.stderr), "end\n");
});

/** Why the test cannot mount a small file system, or undefined. */
function cannotMount(): string | undefined {
  return process.getuid?.() === 0 ? undefined : "a full disk needs root: it is a small tmpfs";
}

t.test(
  "a full disk fails the chunk, with the reason; the agent continues",
  { skip: cannotMount() ?? false },
  async (t) => {
    const place = mkdtempSync(join(tmpdir(), "full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k,nr_inodes=60", "tmpfs", place]);
    t.teardown(() => {
      execFileSync("umount", ["-l", place]);
      rmSync(place, { recursive: true });
    });
    const folder = new AgentFolder(place);
    const attachment = new AgentAttachment(folder);
    await attachment.open();
    const filler = join(place, "filler");
    const nodes = await attachment.run(
      "nodes",
      `mkdir ${filler}; for i in $(seq 100); do : > ${filler}/$i || exit 9; done`,
    );
    t.match(nodes, { exit: 2, tail: /No space left/ });
    t.match(
      (await attachment.run("next", "true")).error,
      /folder .*\/a\/next could not be made: No space left on device/,
    );
    rmSync(filler, { recursive: true });
    t.not((await attachment.run("bytes", `head -c 1000000 /dev/zero > ${filler}`)).exit, 0, "its result is sent");
    for (let index = 0; index < 30; index++) await attachment.run(`small${index}`, "true");
    t.match(await attachment.waitFor((one) => one.ev === "problem"), {
      message: /results could not be saved in .*: No space left/,
    });
    rmSync(filler);
    const small = Array.from({ length: 30 }, (_, index) => `small${index}`);
    attachment.send({ op: "ack", ids: ["nodes", "next", "bytes", ...small] });
    await waitUntil("there is room again", () => folder.listAttempts().length === 0);
    t.equal((await attachment.run("room", "true")).exit, 0);
    await attachment.stop();
  },
);
