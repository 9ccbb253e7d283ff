import { hostname } from "node:os";
import { type MusterResult, runMuster, TestFolder } from "../cli/startmuster.js";

/** Something that happens to a user: files in a folder of its own, and the commands that are run there, one after the other. */
export interface Situation {
  /** What a user would call it. */
  readonly title: string;
  readonly files?: Readonly<Record<string, unknown>>;
  /** Modes of files, where they matter. */
  readonly modes?: Readonly<Record<string, number>>;
  /** Each is the words after `muster`; a function is called with the folder instead. */
  readonly steps: readonly (readonly string[] | ((folder: string) => unknown))[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A node of this machine with one slot, which situations use unless they bring their own inventory. */
const INVENTORY = { nodes: { here: { connection: "local", slots: 1 } } };

const ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", SSH_AUTH_SOCK: "" };

/** Plays a situation, and returns what its commands print and their exit statuses as one text. */
export async function playSituation({ title, files = {}, modes = {}, steps, env = {} }: Situation): Promise<string> {
  const [shop, home] = [new TestFolder(), new TestFolder()];
  try {
    for (const [name, content] of Object.entries({ "inventory.yaml": INVENTORY, ...files }))
      shop.write(name, content, modes[name]);
    const parts: string[] = [];
    for (const step of steps) {
      if (typeof step === "function") {
        await step(shop.folder);
        continue;
      }
      const ran = await runMuster([...step], {
        cwd: shop.folder,
        env: { ...ENVIRONMENT, HOME: home.folder, MUSTER_LOCK_FOLDER: home.folder, ...env },
      });
      parts.push(formatCommand(step, ran, shop.folder, home.folder));
    }
    return `## ${title}\n\n${parts.join("\n")}`;
  } finally {
    shop.remove();
    home.remove();
  }
}

function formatCommand(
  words: readonly string[],
  { code, out, err }: MusterResult,
  folder: string,
  home: string,
): string {
  const command = ["muster", ...words.map((word) => (/^[\w./:,=!-]+$/.test(word) ? word : `'${word}'`))].join(" ");
  return `    $ ${command}\n${indent(normalize(err, folder, home))}${indent(normalize(out, folder, home))}    exit ${code}\n`;
}

function indent(text: string): string {
  return text === "" ? "" : `${text.trimEnd().replace(/^(?=.)/gm, "    ")}\n`;
}

/** What differs from run to run and from machine to machine, and what stands for it. */
const VARIABLE: [pattern: RegExp, text: string][] = [
  // Progress of a command that takes more than a second.
  [/^\S+: \d+ resources? .*\n/gm, ""],
  [/^\S+: (?:\d+(?:\.\d+)?|unknown) %.*\n/gm, ""],
  [/\b\d+(?:\.\d+)? (?:s|min|h)(?: \d+ (?:s|min))?\b/g, "N s"],
  [/\b\d+(?:\.\d+)?[kM]?\/s\b/g, "N/s"],
  [/\bprocess \d+\b/g, "process PID"],
  [/\bat byte \d+\b/g, "at byte N"],
  [/-[0-9a-f]{12}(?=@|\b)/g, "-ID"],
  [/\b3\.\d+\.\d+\b/g, "3.N"],
  [/\b\d{2}-\d{2} \d{2}:\d{2}\b/g, "MM-DD hh:mm"],
  [/\b\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "TIME"],
];

function normalize(text: string, folder: string, home: string): string {
  const known = text.replaceAll(folder, "/project").replaceAll(home, "/home/me").replaceAll(hostname(), "HOST");
  return VARIABLE.reduce((rest, [pattern, word]) => rest.replace(pattern, word), known);
}
