import t from "tap";
import { loadInventory } from "../../fleet/inventory.js";
import { formatProblem, InvalidFileError } from "../../schemas/errors.js";
import { TestFolder } from "../cli/startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());
shop.write("requirements.txt", "a==1\n");
shop.write("wheels/a.whl", "");

const load = (envs: string) => loadInventory(shop.write("i.yaml", `nodes: {a: {}}\npython_envs:\n${envs}`));

/** The problems of an inventory with these environments, without its folder. */
function problemsOf(envs: string): string[] {
  try {
    load(envs);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidFileError)) throw error;
    return error.problems.map((problem) => formatProblem(problem).replaceAll(`${shop.folder}/`, ""));
  }
}

t.test("environments are read with their defaults and local paths", async (t) => {
  const { pythonEnvs } = load(
    "  prng: {requirements: requirements.txt, find_links: wheels, editable: true}\n  two: {editable: true, at: /srv//two, python: python3.10}\n",
  );
  t.match(pythonEnvs, {
    prng: {
      requirements: `${shop.folder}/requirements.txt`,
      at: "~/.venvs/prng",
      findLinks: `${shop.folder}/wheels`,
      project: shop.folder,
    },
    two: { requirements: undefined, at: "/srv/two", python: "python3.10", project: shop.folder },
  });
});

t.test("what is wrong is reported at its position", async (t) => {
  t.same(problemsOf("  prng: {requirements: none.txt, find_links: requirements.txt}\n"), [
    "i.yaml:3:24: python_envs.prng.requirements: none.txt does not exist\n    check the path",
    "i.yaml:3:46: python_envs.prng.find_links: requirements.txt is not a folder",
  ]);
  t.same(problemsOf("  prng: {}\n"), [
    "i.yaml:3:9: python_envs.prng: names nothing to install\n    add `requirements: requirements.txt`",
  ]);
  t.same(problemsOf("  prng: {conda: requirements.txt, python: python3}\n"), [
    "i.yaml:3:43: python_envs.prng.python: cannot be combined with conda\n    name Python and packages in the environment.yml",
  ]);
  t.match(
    problemsOf("  a: {requirements: requirements.txt, at: ~/x}\n  b: {requirements: requirements.txt, at: ~//x}\n"),
    [/^i\.yaml:3:6: python_envs\.a: ~\/x is also the path of b/, /^i\.yaml:4:6: /],
  );
});

t.test("unsafe names and paths are refused", async (t) => {
  for (const name of ["../x", "a/b", ".hidden", "'-rf'", '"a b"', "7"])
    t.match(problemsOf(`  ${name}: {requirements: requirements.txt}\n`), [/must hold only letters, digits/], name);
  for (const at of ["relative", "~", "/", "~/", "~/a/", "~/../x", "/srv/./x", "~other/x"])
    t.match(
      problemsOf(`  a: {requirements: requirements.txt, at: "${at}"}\n`),
      [/must be an absolute path on the node/],
      at,
    );
});
