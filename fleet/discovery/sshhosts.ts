import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { compileGlob } from "../selectnodes.js";

/** How deep ssh follows Include. */
const MAX_DEPTH = 16;
const MAX_HOSTS = 1000;

/**
 * Returns the names that an ssh configuration and what it includes define with Host, without patterns and negations, in their order. What
 * cannot be read counts as empty, as for ssh.
 */
export function listSshHosts(file = process.env.MUSTER_SSH_CONFIG ?? join(homedir(), ".ssh", "config")): string[] {
  const names = readConfig(file, dirname(file), MAX_DEPTH).filter((name) => !/[*?!]/.test(name));
  return [...new Set(names)].slice(0, MAX_HOSTS);
}

function readConfig(file: string, folder: string, depth: number): string[] {
  if (depth === 0) return [];
  return readText(file)
    .split("\n")
    .flatMap((line) => {
      const [, keyword = "", rest = ""] = /^\s*(\w+)\s*=?\s*(.*)$/.exec(line) ?? [];
      const words = splitWords(rest);
      switch (keyword.toLowerCase()) {
        case "host":
          return words;
        case "include":
          return words
            .flatMap((pattern) => expand(pattern, folder))
            .flatMap((path) => readConfig(path, folder, depth - 1));
        default:
          return [];
      }
    });
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** Words are separated by spaces, may be in double quotes, and end at a comment. */
function splitWords(text: string): string[] {
  const words = [...text.matchAll(/"([^"]*)"|(#.*)|(\S+)/g)];
  const end = words.findIndex(([, , comment]) => comment !== undefined);
  return (end < 0 ? words : words.slice(0, end)).map(([, quoted, , plain]) => quoted ?? plain ?? "");
}

/** Returns the files that a pattern of Include means; only its last part may be a glob. Relative ones are below `folder`. */
function expand(pattern: string, folder: string): string[] {
  const path = resolve(folder, pattern.replace(/^~(?=\/)/, homedir()));
  try {
    const glob = compileGlob(basename(path));
    return readdirSync(dirname(path))
      .filter((name) => glob.test(name) && (!name.startsWith(".") || basename(path).startsWith(".")))
      .sort()
      .map((name) => join(dirname(path), name));
  } catch {
    return [];
  }
}
