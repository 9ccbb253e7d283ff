import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { OpenCommand } from "../../executor/run/agent/protocol.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, attachAgent, coordinatorNonces, decodeInline } from "./agentdriver.js";
import { begun, Directory, gated } from "./nodedirectory.js";

t.setTimeout(600_000);

/** Ends an agent in some way while an attempt has a file set aside. */
const ENDS: [
  name: string,
  settings: Partial<OpenCommand>,
  end: (attachment: AgentAttachment, pid: number) => unknown,
][] = [
  ["stop", {}, (attachment) => attachment.stop()],
  ["the lease", { lease: 3 }, (attachment) => attachment.waitForExit()],
  ["SIGTERM", {}, (_, pid) => process.kill(pid, "SIGTERM")],
];

for (const [name, settings, end] of ENDS)
  t.test(`the user's files are put back when ${name} ends the agent`, async (t) => {
    const directory = new Directory(t);
    const { folder, attachment, hello } = await attachAgent(t, settings);
    const write = "echo half > results/x.json; echo half > results/fresh";
    attachment.start("running", directory.spec(["results/x.json", "results/fresh"]), [
      `${write}; ${gated(directory, "true")}`,
    ]);
    await begun(directory);
    await end(attachment, hello.pid);
    await waitUntil("it is back", () => directory.has("results/x.json") && directory.read("results/x.json") === "old");
    await waitUntil("nothing else is", () => directory.list().length === 1);
    if (name !== "SIGTERM") await waitUntil("the run's folder is gone", () => !existsSync(folder.root));
  });

t.test("the next agent puts back what a killed one had set aside", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment, hello } = await attachAgent(t);
  attachment.start("lost", directory.spec(["results/x.json"]), [
    `echo half > results/x.json; ${gated(directory, "true")}`,
  ]);
  await begun(directory);
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  t.equal(directory.read("results/x.json"), "half\n");
  const next = new AgentAttachment(folder);
  await next.open(coordinatorNonces(2));
  t.match(await next.waitForDone("lost"), { lost: true });
  t.equal(directory.read("results/x.json"), "old");
  const again = await next.run("again", "echo new > results/x.json", directory.spec(["results/x.json"]));
  t.equal(decodeInline(again.outputs[0]), "new\n");
  t.equal(directory.read("results/x.json"), "old");
});

t.test("another run waits for the program of a killed agent, and begins with the user's files in place", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment, hello } = await attachAgent(t);
  const { attachment: other } = await attachAgent(t);
  attachment.start("orphan", directory.spec(["results/x.json"]), [
    `echo half > results/x.json; ${gated(directory, "echo late > results/x.json")}`,
  ]);
  await begun(directory);
  process.kill(hello.pid, "SIGKILL");
  await attachment.waitForExit();
  other.start("foreign", directory.spec(["results/x.json"]), [
    `echo new > results/x.json; : > second; while [ ! -e gate2 ]; do sleep 0.1; done`,
  ]);
  await other.waitFor((one) => one.ev === "problem" && /another attempt on this node writes/.test(one.message));
  t.equal(directory.read("results/x.json"), "half\n", "the orphan still has the file");
  directory.write("gate", "");
  await waitUntil("the other run's program is at work", () => directory.has("second"));
  const next = new AgentAttachment(folder);
  await next.open(coordinatorNonces(2));
  t.match(await next.waitForDone("orphan"), { lost: true });
  t.equal(directory.read("results/x.json"), "new\n", "the next agent does not interfere");
  directory.write("gate2", "");
  t.equal(decodeInline((await other.waitForDone("foreign")).outputs[0]), "new\n");
  t.equal(directory.read("results/x.json"), "old");
});

t.test("the run's folder stays while a file of the user in it cannot be put back", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment, hello } = await attachAgent(t);
  attachment.start("running", directory.spec(["results/x.json"]), [gated(directory, "true")]);
  await begun(directory);
  const moved = `${directory.path}-moved`;
  t.teardown(() => rmSync(moved, { recursive: true, force: true }));
  renameSync(directory.path, moved);
  writeFileSync(directory.path, "in the way");
  attachment.send({ op: "stop" });
  const bye = await attachment.waitFor((one) => one.ev === "bye");
  t.match(bye, {
    left: /the run's folder .* stays, because files of the user lie in it: .*x.json could not be put back/,
  });
  const aside = join(folder.root, "a/running/aside/0");
  t.match(bye, { left: new RegExp(`It lies in ${aside}`) });
  t.equal(readFileSync(aside, "utf8"), "old");
  await waitUntil("the agent has ended", () => !existsSync(`/proc/${hello.pid}`));
  rmSync(directory.path);
  renameSync(moved, directory.path);
  const next = new AgentAttachment(folder);
  await next.open(coordinatorNonces(2));
  t.equal(directory.read("results/x.json"), "old", "the next agent puts it back");
});

t.test("the files of the user survive a run's folder that is moved away", async (t) => {
  const directory = new Directory(t);
  const { folder, attachment, hello } = await attachAgent(t);
  attachment.start("running", directory.spec(["results/x.json"]), [gated(directory, "true")]);
  await begun(directory);
  renameSync(folder.root, `${folder.root}-moved`);
  await waitUntil("it is back", () => directory.has("results/x.json"), 30_000);
  t.equal(directory.read("results/x.json"), "old");
  await waitUntil("the agent has ended", () => !existsSync(`/proc/${hello.pid}`));
});
