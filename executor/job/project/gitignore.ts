import { lstatSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import ignore, { type Ignore } from "ignore";
import { refuseUnreadable } from "./refusal.js";

/** The rules of one .gitignore. `folder` is absolute. */
interface RuleFile {
  readonly folder: string;
  readonly rules: Ignore;
}

/** The .gitignore files that hold in a folder: its own and those of the folders above it, as git reads them. */
export class IgnoreRules {
  private constructor(
    /** The innermost first: it overrides the others. */
    private readonly files: readonly RuleFile[],
  ) {}

  /**
   * Returns the rules of `folder`, and of the folders between it and `top` unless they ignore `folder` itself. Throws a ProjectRefusal if
   * one cannot be read.
   */
  static read(folder: string, top: string): IgnoreRules {
    let rules = new IgnoreRules([]).enter(top);
    let path = top;
    for (const name of relative(top, folder).split(sep).filter(Boolean)) {
      path = join(path, name);
      if (rules.isIgnored(path, true)) return new IgnoreRules([]).enter(folder);
      rules = rules.enter(path);
    }
    return rules;
  }

  /** Returns the rules that hold in `folder`, which lies in the folder of these rules and which they do not ignore. */
  enter(folder: string): IgnoreRules {
    const outer = this.files.map((file) => includeFolder(file, folder));
    const text = readRuleFile(join(folder, ".gitignore"));
    if (text === undefined) return new IgnoreRules(outer);
    return new IgnoreRules([{ folder, rules: ignore({ ignorecase: false }).add(text) }, ...outer]);
  }

  /** Returns whether git ignores the file or folder at `path` (absolute), given that it does not ignore the folder it lies in. */
  isIgnored(path: string, isFolder: boolean): boolean {
    for (const { folder, rules } of this.files) {
      const result = rules.test(path.slice(folder.length + 1) + (isFolder ? "/" : ""));
      if (result.ignored || result.unignored) return result.ignored;
    }
    return false;
  }
}

/**
 * Returns the rules with `folder` included, which an inner .gitignore includes though this one ignores it: the library ignores each path in
 * a folder that it ignores.
 */
function includeFolder(file: RuleFile, folder: string): RuleFile {
  const path = folder.slice(file.folder.length + 1);
  if (path === "" || !file.rules.test(`${path}/`).ignored) return file;
  // An array, since a string is split at line breaks, which a name may have.
  const included = [`!/${path.replace(/[\\*?[]/g, escapeCharacter)}/`];
  return { folder: file.folder, rules: ignore({ ignorecase: false }).add(file.rules).add(included) };
}

function escapeCharacter(character: string): string {
  return character === "\\" ? "\\\\" : `[${character}]`;
}

/** Reads a .gitignore; undefined if there is none. As in git, a link does not count. */
function readRuleFile(path: string): string | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, "utf8") : undefined;
  } catch (error) {
    return refuseUnreadable(path, error);
  }
}
