import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import type { SavedState } from "../../../../executor/run/agent/protocol.js";
import type { FileContent } from "../../../../executor/run/record/filehashes.js";
import { KeptStates } from "../../../../executor/run/record/keptstates.js";
import { ChunkStates } from "../../../../executor/run/results/chunkstates.js";
import type { Files } from "../../../../fleet/connection.js";

const top = mkdtempSync(join(tmpdir(), "muster-states-"));
t.teardown(() => rmSync(top, { recursive: true }));
const folder = join(top, "state");
t.afterEach(() => rmSync(folder, { recursive: true, force: true }));

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const attempt = { id: "1-0", chunk: "n=1", limit: 1000 };

/** A state of a file with this text, as a node describes it. */
function saved(text: string, number = 0, change: Partial<SavedState> = {}): SavedState {
  return {
    name: `s${number}`,
    folder: number,
    files: [{ path: "deep/w", size: text.length, sha256: sha256(text) }],
    ...change,
  };
}

/** Two files that cannot lie in one folder. */
function nested(text: string): SavedState["files"] {
  return ["a/b", "a/b/c"].map((path) => ({ path, size: text.length, sha256: sha256(text) }));
}

/** A node whose files all have this text; `release` ends its downloads, if it `waits`. */
function createSource(text: string, waits = false) {
  const asked: string[] = [];
  let release: () => void = () => {};
  const gate = waits ? new Promise<void>((resolve) => (release = resolve)) : Promise.resolve();
  const download: Files["download"] = async (remote, local) => {
    asked.push(remote);
    await gate;
    writeFileSync(local, text, { flag: "wx" });
    return { size: text.length, sha256: sha256(text) };
  };
  return { asked, release: () => release(), source: { root: "/run", files: async () => ({ download }) as Files } };
}

function open() {
  const contents = new Map<string, FileContent>();
  return { contents, states: new ChunkStates(folder), kept: new KeptStates(folder, contents) };
}

t.test("a state is kept until a later one is, and is there for the next coordinator", async (t) => {
  const { states, kept } = open();
  t.equal(kept.find("n=1"), undefined);
  const first = createSource("first");
  await states.keep(attempt, saved("first"), first.source);
  t.same(first.asked, ["/run/a/1-0/saved/0/deep/w"]);
  await states.keep(attempt, saved("second", 1), createSource("second").source);
  t.same(readdirSync(join(folder, "n=1")).sort(), ["1-0.1", "saved.json"]);
  const next = open();
  const found = next.kept.find("n=1")!;
  t.same(found.kept, { name: "s1", files: saved("second").files });
  const [file] = found.files;
  t.equal(readFileSync(file!.source, "utf8"), "second");
  t.match(next.contents.get(file!.source), { sha256: sha256("second"), sizeBytes: 6 });
  await next.states.remove("n=1");
  next.states.close();
  t.notOk(existsSync(folder));
});

t.test("the same state is not pulled twice", async (t) => {
  const { states } = open();
  const { asked, source } = createSource("first");
  await states.keep(attempt, saved("first"), source);
  await states.keep(attempt, saved("first"), source);
  t.equal(asked.length, 1);
});

const REFUSED: [what: string, state: SavedState, error: RegExp][] = [
  ["bytes that are not those that the node hashed", saved("other"), /deep\/w was changed after it was saved/],
  ["what the agent says", saved("first", 0, { error: "it is too large" }), /it is too large/],
  [
    "more than the job allows",
    saved("first", 0, { files: [{ path: "w", size: 1001, sha256: sha256("") }] }),
    /cannot be kept/,
  ],
  ...["../w", "/etc/w", "a/../../w", "", ".", "w/", "./w", "a//w"].map((path): [string, SavedState, RegExp] => {
    return [
      `the path ${path}`,
      saved("first", 0, { files: [{ path, size: 5, sha256: sha256("first") }] }),
      /cannot be kept/,
    ];
  }),
  ...["", ".", "..", "a/b", "current", "/x", "n".repeat(256)].map((name): [string, SavedState, RegExp] => {
    return [`the name ${name}`, saved("first", 0, { name }), /cannot be kept/];
  }),
  ["a file below another one", saved("first", 0, { files: nested("first") }), /cannot be kept/],
  ["a path twice", saved("first", 0, { files: [...saved("first").files, ...saved("first").files] }), /cannot be kept/],
];

t.test("what is refused leaves the earlier state as it was", async (t) => {
  const { states, kept } = open();
  await states.keep({ ...attempt, id: "0-0" }, saved("earlier"), createSource("earlier").source);
  for (const [what, state, message] of REFUSED) {
    await t.rejects(states.keep(attempt, state, createSource("first").source), { code: "STATE", message }, what);
    t.same(readdirSync(join(folder, "n=1")).sort(), ["0-0.0", "saved.json"], what);
  }
  t.match(kept.find("n=1"), { kept: { files: [{ sha256: sha256("earlier") }] } });
});

t.test("a state whose files are gone or damaged is none", async (t) => {
  const { states, kept } = open();
  await states.keep(attempt, saved("first"), createSource("first").source);
  writeFileSync(join(folder, "n=1/1-0.0/0"), "cut");
  t.equal(kept.find("n=1"), undefined);
  writeFileSync(join(folder, "n=1/saved.json"), "{");
  t.equal(kept.find("n=1"), undefined);
});

t.test("a chunk that gets its result while a state is pulled has none afterwards", async (t) => {
  const { states } = open();
  const { source, release } = createSource("first", true);
  const keeping = states.keep(attempt, saved("first"), source);
  t.ok(states.isKeeping("n=1"));
  const removing = states.remove("n=1");
  release();
  await Promise.all([keeping, removing]);
  t.notOk(existsSync(join(folder, "n=1")));
  t.notOk(states.isKeeping("n=1"));
});

t.test("the states of chunks with a result are removed, and nothing else", async (t) => {
  const { states } = open();
  for (const chunk of ["n=1", "n=2"])
    await states.keep({ ...attempt, chunk }, saved("first"), createSource("first").source);
  states.removeFinished((chunk) => chunk === "n=1");
  t.same(readdirSync(folder), ["n=2"]);
});
