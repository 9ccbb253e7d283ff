import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { appendFileSync, mkdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t, { type Test } from "tap";
import { type FollowMessage, parseFollowMessage } from "../../executor/run/follow/followmessages.js";
import { agentProgram, followProgram } from "../../templates/nodeprograms.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentFolder } from "./agentdriver.js";

const ID = "0123456789abcdef-0-0123456789abcdef";
const OTHER = "0123456789abcdef-1-0123456789abcdef";

/** A run's folder without a daemon, in which the test writes what a daemon would, and the program that follows it. */
class Followed {
  readonly folder = new AgentFolder();
  readonly messages: FollowMessage[] = [];
  private readonly child: ChildProcessWithoutNullStreams;
  readonly exit: Promise<number | null>;

  constructor(test: Test, selection: object = {}, before: (followed: Followed) => void = () => {}) {
    before(this);
    const { args, stdin } = followProgram(agentProgram());
    const words = [...args, this.folder.root, JSON.stringify({ streams: ["out", "err"], ...selection })];
    this.child = spawn("python3", words);
    this.child.stdin.write(stdin);
    this.exit = new Promise((resolve) => this.child.on("close", resolve));
    let rest = "";
    this.child.stdout.on("data", (bytes) => {
      const lines = (rest + bytes).split("\n");
      rest = lines.pop()!;
      this.messages.push(...lines.map((line) => parseFollowMessage(line)!));
    });
    test.teardown(async () => {
      this.child.stdin.end();
      await this.exit;
      this.folder.remove();
    });
  }

  path(id: string, name = ""): string {
    return join(this.folder.root, "a", id, name);
  }

  start(id: string, chunk: string): void {
    mkdirSync(this.path(id), { recursive: true });
    for (const name of ["out", "err"]) writeFileSync(this.path(id, name), "");
    this.record({ start: id, chunk, slot: 3, process: null });
  }

  record(record: object): void {
    appendFileSync(join(this.folder.root, "done.ndjson"), `${JSON.stringify(record)}\n`);
  }

  result(id: string, chunk: string, keys: object = {}): void {
    const common = { exit: 0, signal: null, timeout: false, cancelled: false, missing: [] };
    this.record({ ev: "done", id, chunk, slot: 3, ...common, ...keys });
  }

  /** What was sent of a stream. */
  text(id: string, stream: string): string {
    const pieces = this.messages.flatMap((one) =>
      one?.ev === "log" && one.id === id && one.stream === stream ? [one.bytes] : [],
    );
    return Buffer.concat(pieces).toString();
  }

  /** Waits for a message of this kind about an attempt, and returns it. */
  async find(ev: FollowMessage["ev"], id: string): Promise<FollowMessage> {
    const found = () => this.messages.find((one) => one.ev === ev && "id" in one && one.id === id);
    await waitUntil(`${ev} of ${id}`, () => found() !== undefined, 20);
    return found()!;
  }

  async shown(id: string, stream: string, text: string): Promise<void> {
    await waitUntil(`"${text.slice(-20)}" of ${id}`, () => this.text(id, stream).endsWith(text), 20);
  }

  end(): void {
    this.child.stdin.end();
  }
}

t.test("sends what an attempt prints, as it is written, to its end; and ends with its stdin", async (t) => {
  const node = new Followed(t);
  await waitUntil("its first message", () => node.messages.length > 0);
  t.same(node.messages, [{ ev: "following", ids: [] }], "an empty folder");
  node.start(ID, "a");
  t.match(await node.find("begin", ID), { chunk: "a", slot: 3 });
  appendFileSync(node.path(ID, "out"), "one\n");
  await node.shown(ID, "out", "one\n");
  appendFileSync(node.path(ID, "err"), "\x80\x00");
  appendFileSync(node.path(ID, "out"), "two");
  await node.shown(ID, "out", "two");
  node.result(ID, "a", { exit: 7, signal: null });
  t.match(await node.find("end", ID), { whole: true, outcome: { exit: 7, cancelled: false } });
  t.equal(node.text(ID, "out"), "one\ntwo");
  t.equal(node.messages.filter((one) => one.ev === "log" && one.stream === "err").length, 1);
  node.end();
  t.equal(await node.exit, 0);
});

t.test("a folder that is deleted at once loses nothing", async (t) => {
  const node = new Followed(t);
  node.start(ID, "a");
  await node.find("begin", ID);
  appendFileSync(node.path(ID, "out"), "last words\n");
  rmSync(node.path(ID), { recursive: true });
  t.match(await node.find("end", ID), { whole: true, outcome: undefined });
  t.equal(node.text(ID, "out"), "last words\n");
  const data = Buffer.from("short\n").toString("base64");
  node.record({ start: OTHER, chunk: "b", slot: 0, process: null });
  node.result(OTHER, "b", { stdout: { size: 6, data }, stderr: { size: 0, data: "" } });
  t.match(await node.find("end", OTHER), { whole: true, outcome: { exit: 0 } });
  t.equal(node.text(OTHER, "out"), "short\n", "it began and ended between two looks");
});

t.test("only the chunk that is asked for; from its last lines, or from where it was before", async (t) => {
  const lines = Array.from({ length: 30_000 }, (_, n) => `line ${n}\n`).join("");
  const begin = (node: Followed) => {
    node.start(OTHER, "5-9");
    node.start(ID, "0-10");
    writeFileSync(node.path(ID, "out"), lines);
  };
  const tail = new Followed(t, { chunk: "0-10", tail: 2 }, begin);
  await tail.shown(ID, "out", "line 29999\n");
  t.equal(tail.text(ID, "out"), "line 29998\nline 29999\n");
  const prefix = new Followed(t, { chunk: "0-", isPrefix: true, tail: 40_000 }, begin);
  await prefix.shown(ID, "out", "line 29999\n");
  t.equal(prefix.text(ID, "out"), lines, "more lines than there are");
  t.notOk(prefix.messages.some((one) => "id" in one && one.id === OTHER));
  const offset = lines.length - "line 29999\n".length;
  const resumed = new Followed(t, { tail: 0, resume: { [ID]: { out: offset } } }, begin);
  await resumed.shown(ID, "out", "line 29999\n");
  t.equal(resumed.text(ID, "out"), "line 29999\n");
});

t.test("a log that the agent cuts is continued after what was read", async (t) => {
  const node = new Followed(t);
  node.start(ID, "a");
  const lines = Array.from({ length: 2000 }, (_, n) => `line ${n}\n`);
  writeFileSync(node.path(ID, "out"), lines.slice(0, 1900).join(""));
  await node.shown(ID, "out", "line 1899\n");
  const notice = "\n[muster: this log grew past 1000 bytes; its middle was dropped]\n";
  /** In the two steps of the agent. A reader may look in between. */
  const cutLog = (path: string, head: number, content: string) => {
    truncateSync(path, head);
    appendFileSync(path, content.slice(head));
  };
  const cut = `${lines.slice(0, 10).join("")}${notice}${lines.slice(1500).join("")}`;
  cutLog(node.path(ID, "out"), Buffer.byteLength(lines.slice(0, 10).join("")), cut);
  await node.shown(ID, "out", "line 1999\n");
  t.equal(node.text(ID, "out"), lines.join(""), "nothing twice, nothing left out");
  const far = new Followed(t, {}, (one) => {
    one.start(ID, "a");
    writeFileSync(one.path(ID, "out"), lines.join(""));
  });
  await far.shown(ID, "out", "line 1999\n");
  cutLog(far.path(ID, "out"), Buffer.byteLength(lines[0]!), `${lines[0]}${notice}later\n`);
  await far.shown(ID, "out", "later\n");
  t.match(await far.find("dropped", ID), { bytes: null });
  t.equal(far.text(ID, "out"), `${lines.join("")}${notice}later\n`);
});
