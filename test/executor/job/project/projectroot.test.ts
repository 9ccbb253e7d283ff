import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { canBeProject, findProjectRoot, isHomeOrAbove } from "../../../../executor/job/project/projectroot.js";
import { addFiles, createFolder } from "./projectfixture.js";

t.test("the root is the nearest folder with a marker", async (t) => {
  for (const marker of [".git", "pyproject.toml", "setup.py", ".project-root", "requirements.txt"]) {
    const folder = createFolder(t, { "home/outer/setup.py": "", "home/outer/p/jobs/deep/job.yaml": "" });
    const [home, deep] = [`${folder}/home`, `${folder}/home/outer/p/jobs/deep`];
    t.equal(findProjectRoot(deep, home), `${folder}/home/outer`, "before");
    if (marker === ".git") mkdirSync(`${folder}/home/outer/p/.git`);
    else addFiles(`${folder}/home/outer/p`, { [marker]: "" });
    t.equal(findProjectRoot(deep, home), `${folder}/home/outer/p`, marker);
    t.equal(
      findProjectRoot(`${folder}/home/outer/p`, home),
      `${folder}/home/outer/p`,
      `${marker} in the folder itself`,
    );
  }
});

t.test("a folder without a marker above it is its own root", async (t) => {
  const folder = createFolder(t, { "home/p/README": "" });
  t.equal(findProjectRoot(`${folder}/home/p`, `${folder}/home`), `${folder}/home/p`);
});

t.test("the home folder and folders above it are never the root", async (t) => {
  const folder = createFolder(t, {
    "setup.py": "",
    "home/setup.py": "",
    "home/jobs/job.yaml": "",
    "other/x/job.yaml": "",
  });
  t.equal(findProjectRoot(`${folder}/home/jobs`, `${folder}/home`), `${folder}/home/jobs`);
  t.equal(
    findProjectRoot(`${folder}/other/x`, `${folder}/home`),
    `${folder}/other/x`,
    "the folder above is above home too",
  );
  symlinkSync("home", `${folder}/link`);
  t.equal(findProjectRoot(`${folder}/home/jobs`, `${folder}/link`), `${folder}/home/jobs`, "home through a link");
  t.equal(findProjectRoot(`${folder}/link/jobs`, `${folder}/home`), `${folder}/link/jobs`, "the folder through a link");
  const table: [string, boolean][] = [
    [`${folder}/home`, true],
    [`${folder}/link`, true],
    [folder, true],
    ["/", true],
    [`${folder}/home/jobs`, false],
    [`${folder}/other`, false],
  ];
  for (const [path, wanted] of table) t.equal(isHomeOrAbove(path, `${folder}/home`), wanted, path);
  t.equal(isHomeOrAbove(`${folder}/ho`, `${folder}/home`), false, "only whole names count");
});

t.test("a folder that everybody writes into is no project, and no project is found above it", async (t) => {
  const shared = createFolder(t, { "requirements.txt": "", "own/job.yaml": "" });
  t.equal(canBeProject(shared, "/home/me"), true);
  t.equal(findProjectRoot(join(shared, "own"), "/home/me"), shared);
  chmodSync(shared, 0o1777);
  t.equal(canBeProject(shared, "/home/me"), false);
  t.equal(canBeProject(join(shared, "own"), "/home/me"), true);
  t.equal(findProjectRoot(join(shared, "own"), "/home/me"), join(shared, "own"));
});
