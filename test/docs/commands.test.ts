import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CommanderError } from "commander";
import t from "tap";
import { buildProgram } from "../../cli/program.js";
import { projectRoot } from "../lab/project.js";
import { findBlocks, findCodeSpans, type Page, readPages } from "./pages.js";
import { splitCommands } from "./shellwords.js";

/** Languages of blocks whose lines are no commands. */
const NO_SHELL = new Set(["python", "ts", "yaml", "json"]);

/** Returns the commands of a page that start one of these programs: those in its blocks, and those in its text. */
function findCommands(page: Page, programs: string): { blocks: string[][]; spans: string[][] } {
  const isStart = new RegExp(`(?:^|\\| )(?:\\$ )?(?:[A-Z_]+=\\S+ )*(?:${programs})(?:\\s|$)`);
  const isProgram = new RegExp(`^(?:${programs})$`);
  const select = (lines: string[]) =>
    lines
      .filter((line) => isStart.test(line))
      .flatMap((line) => splitCommands(line.replace(/^\$ /, "")))
      .map((words) => words.slice(words.findIndex((word) => !/^[A-Z_]+=/.test(word))))
      .filter(([first]) => isProgram.test(first ?? ""));
  const blocks = findBlocks(page).filter(({ language }) => !NO_SHELL.has(language));
  return { blocks: select(blocks.flatMap(({ text }) => text.split("\n"))), spans: select(findCodeSpans(page)) };
}

/** Parses a command line of muster with its own parser, and runs nothing. Returns what is wrong, or undefined. */
function explainMistake([, ...words]: string[]): string | undefined {
  if (words.length === 0 || words[0] === "--version") return undefined;
  const muster = buildProgram(() => {});
  for (const command of muster.commands)
    command.configureOutput({ writeOut: () => {}, writeErr: () => {} }).action(() => {});
  muster.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  try {
    muster.parse(words, { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : `muster ${words.join(" ")}: ${error.message}`;
  }
}

t.test("the words of a line for a shell", async (t) => {
  t.same(splitCommands("find a -name '*.gz' | muster map -0 'zcat {} | wc -l' # text"), [
    ["find", "a", "-name", "*.gz"],
    ["muster", "map", "-0", "zcat {} | wc -l"],
  ]);
  t.same(splitCommands('muster a "b c"\\ d > e'), [["muster", "a", "b c d"], ["e"]]);
  t.throws(() => splitCommands("muster 'a"), /not closed/);
});

t.test("every command line of muster is one that it understands", async (t) => {
  let count = 0;
  for (const page of readPages()) {
    const { blocks, spans } = findCommands(page, "(?:\\./)?muster");
    const mistakes = [
      ...blocks.map(explainMistake),
      // The text names commands without their arguments, such as `muster run --plan`.
      ...spans.map(explainMistake).filter((mistake) => !/missing required argument/.test(mistake ?? "")),
    ];
    count += blocks.length + spans.length;
    for (const mistake of mistakes) if (mistake !== undefined) t.fail(`${page.path}: ${mistake}`);
  }
  t.ok(count > 100, `${count} command lines`);
  t.match(explainMistake(["muster", "rnu", "job.yaml"]), /unknown command/);
  t.match(explainMistake(["muster", "run", "job.yaml", "--fersh"]), /unknown option/);
  t.match(explainMistake(["muster", "logs"]), /missing required argument/);
});

t.test("every program and file of this project that a command names is there", async (t) => {
  let count = 0;
  for (const page of readPages())
    for (const words of findCommands(page, "(?:\\./|test/)\\S+|bash").blocks)
      for (const word of words.filter((one) => /^(?:\.\/)?(?:examples|test)\/[\w./-]+$/.test(one))) {
        count++;
        if (!existsSync(join(projectRoot(), word))) t.fail(`${page.path}: ${words.join(" ")}: there is no ${word}`);
      }
  t.ok(count > 5, `${count} files`);
});

t.test("every npm script that is named exists", async (t) => {
  const manifest = JSON.parse(readFileSync(join(projectRoot(), "package.json"), "utf8"));
  const { scripts } = manifest as { scripts: Record<string, string> };
  const runs = readPages()
    .map((page) => findCommands(page, "npm"))
    .flatMap(({ blocks, spans }) => [...blocks, ...spans])
    .filter(([, verb]) => verb === "run");
  t.ok(runs.length > 0);
  for (const [, , name] of runs) if (scripts[name!] === undefined) t.fail(`npm run ${name}`);
});
