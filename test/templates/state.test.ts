import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import type { AgentMessage, SavedState } from "../../executor/run/agent/protocol.js";
import { sha256Hex } from "../faults/checks.js";
import { waitUntil } from "../lab/waituntil.js";
import { AgentAttachment, attachAgent, coordinatorNonces, decodeInline } from "./agentdriver.js";

t.setTimeout(600_000);

const state = { every: 1, limit: 10_000 };

/** Shell functions: `save NAME TEXT` saves a state of one file, `name NAME` only writes `current`. */
const SAVE = `
name() { printf %s "$1" > "$MUSTER_STATE/c.new"; mv "$MUSTER_STATE/c.new" "$MUSTER_STATE/current"; }
save() { mkdir -p "$MUSTER_STATE/$1/deep"; printf %s "$2" > "$MUSTER_STATE/$1/deep/w"; name "$1"; }
`;
const WAIT = "while :; do sleep 0.1; done";

function isSaved(message: AgentMessage): message is Extract<AgentMessage, { ev: "saved" }> {
  return message.ev === "saved";
}

t.test("states are reported while a program runs, and the last one when it has no result", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const script = `${SAVE} save one first; until [ -e ../../go ]; do sleep 0.1; done; save two second; rm -r "$MUSTER_STATE/one" "$MUSTER_STATE/two"; ${WAIT}`;
  attachment.start("a", { state: { ...state, every: 0.2 } }, [script]);
  const first = (await attachment.waitFor(isSaved)) as Extract<AgentMessage, { ev: "saved" }>;
  t.match(first, { id: "a", state: { name: "one", files: [{ path: "deep/w", size: 5, sha256: sha256Hex("first") }] } });
  t.equal(readFileSync(join(folder.root, "a/a/saved", `${first.state.folder}`, "deep/w"), "utf8"), "first");
  attachment.send({ op: "ping" });
  await attachment.waitFor((one) => one.ev === "pong");
  writeFileSync(join(folder.root, "go"), "");
  const kept = (state: SavedState) => readFileSync(join(folder.root, "a/a/saved", `${state.folder}`, "deep/w"), "utf8");
  attachment.send({ op: "cancel", ids: ["a"] });
  const done = await attachment.waitForDone("a");
  t.match(done, { cancelled: true, state: { files: [{ path: "deep/w" }] } });
  t.match(kept(done.state!), /^(first|second)$/);
});

t.test("the next attempt finds what was saved, and a result has no state", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const text = "weights";
  const sha256 = folder.stage(text);
  const kept = { name: "epoch-7", files: [{ path: "deep/w", size: text.length, sha256 }] };
  const script = `${SAVE} cat "$MUSTER_STATE/current"; echo; cat "$MUSTER_STATE/epoch-7/deep/w"; echo more >> "$MUSTER_STATE/epoch-7/deep/w"`;
  attachment.start("a", { state }, [`${script}; save epoch-8 later; exit 3`], 0, kept);
  const done = await attachment.waitForDone("a");
  t.equal(decodeInline(done.stdout), "epoch-7\nweights");
  t.match(done, { exit: 3, state: { name: "epoch-8", files: [{ sha256: sha256Hex("later") }] } });
  attachment.start("b", { state }, ['cat "$MUSTER_STATE/epoch-7/deep/w"'], 0, kept);
  const second = await attachment.waitForDone("b");
  t.equal(decodeInline(second.stdout), "weights", "what one attempt writes is not another's input");
  t.equal(second.state, undefined);
  t.match(await attachment.run("none", "exit 4", { state }), { exit: 4, state: undefined });
  t.match(await attachment.run("off", '[ -z "${MUSTER_STATE+x}" ]'), { exit: 0 });
});

t.test("an attempt that saved nothing does not report the state that it was given", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  const kept = { name: "one", files: [{ path: "w", size: 1, sha256: folder.stage("x") }] };
  attachment.start("a", { state }, ["exit 3"], 0, kept);
  t.match(await attachment.waitForDone("a"), { exit: 3, state: undefined });
  attachment.start("b", { state }, [`${SAVE} rm -r "$MUSTER_STATE/one"; save one again; exit 3`], 0, kept);
  t.match(await attachment.waitForDone("b"), { state: { name: "one", files: [{ sha256: sha256Hex("again") }] } });
});

t.test("at most two states stay, however often was looked in between", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  attachment.start("a", { state: { ...state, every: 0.05 } }, [
    `${SAVE} for n in 1 2 3 4; do save $n $n; until [ -e ../../go$n ]; do sleep 0.1; done; done; exit 3`,
  ]);
  for (const name of ["1", "2", "3", "4"]) {
    await attachment.waitFor((one) => isSaved(one) && one.state.name === name);
    const looks = Date.now() + 300;
    await waitUntil("it was looked several times more", () => Date.now() > looks);
    writeFileSync(join(folder.root, `go${name}`), "");
  }
  await attachment.waitForDone("a");
  t.equal(readdirSync(join(folder.root, "a/a/saved")).length, 2);
});

t.test("a program that removes a state once it has saved the next one loses nothing", async (t) => {
  const { attachment } = await attachAgent(t);
  const files = 'for f in 1 2 3 4 5 6 7 8 9; do printf $n > "$MUSTER_STATE/$n/$f"; done';
  const script = `${SAVE} n=1; while [ $n -le 150 ]; do mkdir "$MUSTER_STATE/$n"; ${files}; name $n; rm -rf "$MUSTER_STATE/$((n - 1))"; n=$((n + 1)); done; exit 3`;
  attachment.start("a", { state: { ...state, every: 0.001 } }, [script]);
  const done = await attachment.waitForDone("a");
  t.match(done, { exit: 3, state: { name: "150", error: undefined } });
  t.same(
    attachment.messages.filter(isSaved).filter(({ state }) => state.error !== undefined),
    [],
  );
});

const FAULTS: [script: string, error: RegExp][] = [
  ["name ..", /`current` does not hold the name of a folder/],
  ["name a/b", /`current` does not hold the name of a folder/],
  ["name $(printf '\\377')", /`current` does not hold the name of a folder/],
  ["name gone", /`current` names gone, which is no folder/],
  ['mkdir "$MUSTER_STATE/x"; ln -s /etc/hostname "$MUSTER_STATE/x/l"; name x', /^l is no regular file/],
  ['ln -s /etc "$MUSTER_STATE/x"; name x', /`current` names x, which is no folder/],
  ['ln -s /etc/hostname "$MUSTER_STATE/current"', /`current` is a link/],
  ['mkdir "$MUSTER_STATE/current"', /`current` is no file/],
  ['mkdir "$MUSTER_STATE/x"; mkfifo "$MUSTER_STATE/x/p"; name x', /^p is no regular file/],
  [
    'mkdir "$MUSTER_STATE/x"; head -c 20000 /dev/zero > "$MUSTER_STATE/x/f"; name x',
    /it has 19.5 KiB, more than the 9.8 KiB/,
  ],
  ['mkdir "$MUSTER_STATE/x"; for n in $(seq 1001); do : > "$MUSTER_STATE/x/$n"; done; name x', /more than 1000 files/],
];

t.test("what cannot be kept is said, and nothing of it is left", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  for (const [index, [script, error]] of FAULTS.entries()) {
    const done = await attachment.run(`f${index}`, `${SAVE} ${script}; exit 9`, { state });
    t.match(done, { exit: 9, state: { files: [], error } }, script);
    const saved = join(folder.root, `a/f${index}/saved`);
    t.same(existsSync(saved) ? readdirSync(saved) : [], []);
  }
});

t.test("a coordinator that attaches is told of the last state again", async (t) => {
  const { attachment, folder } = await attachAgent(t);
  attachment.start("a", { state: { ...state, every: 0.2 } }, [`${SAVE} save one first; ${WAIT}`]);
  await attachment.waitFor(isSaved);
  const again = new AgentAttachment(folder);
  await again.open(coordinatorNonces(2));
  t.match(await again.waitFor(isSaved), { id: "a", state: { name: "one" } });
});
