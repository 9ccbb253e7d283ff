import { isSameParameterValue } from "./parametervalue.js";

/** Whether a kernel command line ends up with this value: the last word of a name counts, `-` and `_` in it are the same. */
export function hasOption(line: string, name: string, value: string): boolean {
  const found = line.split(/\s+/).findLast((word) => hasName(word, name));
  return found !== undefined && isSameParameterValue(value, found.slice(found.indexOf("=") + 1));
}

/** The words of a command line that set this parameter. */
export function findOptions(line: string, name: string): string[] {
  return line.split(/\s+/).filter((word) => hasName(word, name));
}

/** The line with this value: in place of the first word of that name, else at the end. Further ones go; other words stay as they are. */
export function setOption(line: string, name: string, value: string): string {
  if (hasOption(line, name, value)) return line;
  const option = `${name}=${value}`;
  let isPut = false;
  const changed = line.replace(/\S+/g, (word) => {
    if (!hasName(word, name)) return word;
    if (isPut) return "";
    isPut = true;
    return option;
  });
  return isPut ? changed : `${line.replace(/\s+$/, "")} ${option}`.trimStart();
}

/** A value that needs no quotes on any command line or in any loader's file. */
export function isPlainOption(value: string): boolean {
  return /^[\w.,:+=@%/-]+$/.test(value);
}

function hasName(word: string, name: string): boolean {
  const mark = word.indexOf("=");
  return mark > 0 && word.slice(0, mark).replaceAll("-", "_") === name.replaceAll("-", "_");
}
