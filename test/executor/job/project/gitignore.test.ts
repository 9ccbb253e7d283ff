import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import fc from "fast-check";
import t from "tap";
import { addFiles, createRepository, gitMissing, listPaths } from "./projectfixture.js";

const options = { skip: gitMissing ?? false };

t.test("without git, the rules of .gitignore hold from the work tree down", options, async (t) => {
  const folder = createRepository(t, { ".gitignore": "*.log\nscratch/", "sub/a.py": "", "sub/.gitignore": "/tmp\n" });
  addFiles(folder, { "sub/x.log": "", "sub/tmp/x": "", "scratch/w.py": "" });
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  process.env.PATH = `${folder}/no-programs`;
  t.same(listPaths(folder), [".gitignore", "sub/.gitignore", "sub/a.py"]);
  t.same(listPaths(`${folder}/sub`), [".gitignore", "a.py"]);
  t.same(listPaths(`${folder}/scratch`), ["w.py"]);
});

t.test("without git, any rules select the same files as git does", options, async (t) => {
  const names = ["a", "b.log", "B.log", "build", "x y", ".dot", "#c", "!d"];
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
  const [withGit, withoutGit] = [process.env.PATH, "/nonexistent"];
  t.teardown(() => {
    process.env.PATH = withGit;
  });
  const folder = createRepository(t, {});
  fc.assert(
    fc.property(files, fc.array(fc.tuple(path, rules), { maxLength: 3 }), rules, (files, inner, top) => {
      for (const name of readdirSync(folder)) if (name !== ".git") rmSync(`${folder}/${name}`, { recursive: true });
      for (const file of files) if (canCreate(folder, file)) addFiles(folder, { [file]: "" });
      for (const [place, lines] of [["", top] as const, ...inner])
        if (place === "" || isFolder(`${folder}/${place}`))
          addFiles(folder, { [`${place}/.gitignore`]: lines.join("\n") });
      process.env.PATH = withGit;
      const wanted = listPaths(folder);
      process.env.PATH = withoutGit;
      return listPaths(folder).join() === wanted.join();
    }),
    { numRuns: 60 },
  );
});

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
