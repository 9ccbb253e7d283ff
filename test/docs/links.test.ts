import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import t from "tap";
import { projectRoot } from "../lab/project.js";
import { listAnchors, type Page, readPage, readPages } from "./pages.js";

const OTHER_PAGES = [
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "bench/README.md",
  "test/README.md",
  "test/fleet/gpus/captures/README.md",
];

/** Returns the targets of the links and pictures of a page, outside of code. */
function findLinks({ text }: Page): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, "").replace(/^ {4}.*$/gm, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!);
}

t.test("every link leads to a file, and to a heading in it", async (t) => {
  let count = 0;
  for (const page of [...readPages(), ...OTHER_PAGES.map(readPage)])
    for (const link of findLinks(page).filter((one) => !/^https?:/.test(one))) {
      count++;
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page.path : normalize(join(dirname(page.path), file));
      if (!existsSync(join(projectRoot(), target))) t.fail(`${page.path}: ${link}: there is no such file`);
      else if (anchor !== undefined && !listAnchors(readPage(target)).has(anchor))
        t.fail(`${page.path}: ${link}: there is no such heading`);
    }
  t.ok(count > 100, `${count} links`);
});

t.test("README.md leads to every page", async (t) => {
  const links = findLinks(readPage("README.md")).map((link) => link.split("#")[0]);
  for (const { path } of readPages().slice(1)) if (!links.includes(path)) t.fail(`no link to ${path}`);
  t.pass("pages");
});

t.test("anchors are those of GitHub", async (t) => {
  const text = "# Use `a_b`, c/d\n\n## What's new?\n\n## [Twice](x.md)\n\n## Twice\n";
  t.same([...listAnchors({ path: "x.md", text })], ["use-a_b-cd", "whats-new", "twice", "twice-1"]);
});
