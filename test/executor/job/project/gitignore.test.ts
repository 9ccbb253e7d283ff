import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { addFiles, createRepository, gitMissing, listPaths } from "./projectfixture.js";

const options = { skip: gitMissing ?? false };

t.test("without git, the rules of .gitignore hold from the work tree down", options, async (t) => {
  const folder = createRepository(t, { ".gitignore": "*.log\nscratch/", "sub/a.py": "", "sub/.gitignore": "/tmp\n" });
  addFiles(folder, { "sub/x.log": "", "sub/tmp/x": "", "scratch/w.py": "" });
  t.same(listWithoutGit(folder), [".gitignore", "sub/.gitignore", "sub/a.py"]);
  t.same(listWithoutGit(`${folder}/sub`), [".gitignore", "a.py"]);
  t.same(listWithoutGit(`${folder}/scratch`), ["w.py"]);
});

t.test("without git, a folder that an inner .gitignore includes again is read", options, async (t) => {
  for (const name of ["a", "[a]", "a*", "a?", "a\\b", "a b", "#a", "!a", "a\nb"]) {
    const folder = createRepository(t, { ".gitignore": "out/*", "out/.gitignore": "!*/", [`out/${name}/x/y.py`]: "" });
    const wanted = listPaths(folder);
    t.ok(wanted.includes(`out/${name}/x/y.py`), name);
    t.same(listWithoutGit(folder), wanted, name);
  }
});

t.test("without git, any rules select the same files as git does", options, async (t) => {
  const names = ["a", "b.log", "B.log", "build", "x y", ".dot", "#c", "!d", "[a]", "a*"];
  const path = fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
  const piece = fc.constantFrom(...names, "*", "**", "*.log", "?", "[ab]", "[!a]", "b*", "*.*", "\\#c", "\\!d");
  const pattern = fc
    .tuple(
      fc.constantFrom("", "!", "/", "!/"),
      fc.array(piece, { minLength: 1, maxLength: 3 }),
      fc.constantFrom("", "/", " ", "/**"),
    )
    .map(([before, parts, after]) => `${before}${parts.join("/")}${after}`);
  const rules = fc.array(fc.oneof(pattern, pattern, fc.constantFrom("", "# x", "\\")), { maxLength: 5 });
  const files = fc.uniqueArray(path, { minLength: 4, maxLength: 25 });
  const folder = createRepository(t, {});
  fc.assert(
    fc.property(files, fc.array(fc.tuple(path, rules), { maxLength: 3 }), rules, (files, inner, top) => {
      for (const name of readdirSync(folder)) if (name !== ".git") rmSync(`${folder}/${name}`, { recursive: true });
      for (const file of files) if (canCreate(folder, file)) addFiles(folder, { [file]: "" });
      for (const [place, lines] of [["", top] as const, ...inner])
        if (place === "" || isFolder(`${folder}/${place}`))
          addFiles(folder, { [`${place}/.gitignore`]: lines.join("\n") });
      return listWithoutGit(folder).join() === listPaths(folder).join();
    }),
    { numRuns: 60 },
  );
});

function listWithoutGit(folder: string): string[] {
  const path = process.env.PATH;
  process.env.PATH = "/nonexistent";
  try {
    return listPaths(folder);
  } finally {
    process.env.PATH = path;
  }
}

/** A path cannot lie below a file, nor replace a folder. */
function canCreate(folder: string, path: string): boolean {
  const parts = path.split("/");
  const isBelowFile = parts.some((_, at) => {
    const above = `${folder}/${parts.slice(0, at).join("/")}`;
    return at > 0 && existsSync(above) && !isFolder(above);
  });
  return !isBelowFile && !existsSync(`${folder}/${path}`);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
