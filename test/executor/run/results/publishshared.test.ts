import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { writePartials } from "../../../../executor/run/results/publish.js";
import {
  type ChunkPublications,
  publishShared,
  type SharedFolder,
} from "../../../../executor/run/results/publishshared.js";
import { listFiles } from "../../../faults/checks.js";

function folders(test: Test) {
  const folder = mkdtempSync(join(tmpdir(), "muster-shared-"));
  test.teardown(() => rmSync(folder, { recursive: true }));
  const [path, partial] = [join(folder, "results"), join(folder, "partial")];
  for (const one of [path, partial]) mkdirSync(one);
  return { path, partial };
}

/** A chunk with these outputs, whose content is the chunk's name. */
const chunk = (name: string, ...targets: string[]) => ({
  chunk: name,
  publications: targets.map((target) => ({
    target,
    output: { path: target, kind: "file" as const, sha256: "", size: 1, content: { bytes: Buffer.from(name) } },
  })),
});

async function publish(folder: SharedFolder, partial: string, batch: ChunkPublications[]) {
  const written = await writePartials(
    batch.flatMap(({ publications }) => publications),
    partial,
  );
  return publishShared(folder, written, batch);
}

t.test("a chunk gets all of its names or none, and no file is replaced", async (t) => {
  const { path, partial } = folders(t);
  mkdirSync(join(path, "folder/inner"), { recursive: true });
  writeFileSync(join(path, "mine"), "mine");
  symlinkSync("/nowhere", join(path, "dangling"));
  const refused = await publish({ path, mayReplace: false }, partial, [
    chunk("a", "new/x", "y"),
    chunk("b", "z", "mine"),
    chunk("c", "folder"),
    chunk("d", "mine/below"),
    chunk("e", "dangling"),
    chunk("f", "y"),
    chunk("g", "last"),
  ]);
  const reasons = Object.fromEntries([...refused].map(([name, reason]) => [name, reason.replaceAll(path, "R")]));
  t.same(reasons, {
    b: "R/mine exists already: move it away, or use --overwrite",
    c: "R/folder cannot be written: it is a folder",
    d: "R/mine/below cannot be written: a part of its path is a file",
    e: "R/dangling exists already: move it away, or use --overwrite",
    f: "R/y exists already: move it away, or use --overwrite",
  });
  t.same(
    listFiles(path).filter((name) => name !== "dangling"),
    ["last", "mine", "new/x", "y"],
  );
  t.equal(readFileSync(join(path, "mine"), "utf8"), "mine");
  t.equal(readFileSync(join(path, "y"), "utf8"), "a");
  t.same(readdirSync(partial), []);
});

t.test("where files may be replaced, they are, but folders are not", async (t) => {
  const { path, partial } = folders(t);
  writeFileSync(join(path, "old"), "old");
  mkdirSync(join(path, "folder"));
  const refused = await publish({ path, mayReplace: true }, partial, [chunk("a", "old"), chunk("b", "folder")]);
  t.same([...refused.keys()], ["b"]);
  t.equal(readFileSync(join(path, "old"), "utf8"), "a");
});
