import { isSameParameterValue } from "./parametervalue.js";

/** The parameters that the command line of the kernel is to have, in order. */
export type KernelOptions = readonly (readonly [name: string, value: string])[];

/** Whether a kernel command line sets this value. The last option of a name counts; `-` and `_` in a name are equivalent. */
export function hasOption(line: string, name: string, value: string): boolean {
  const found = line.split(/\s+/).findLast((word) => hasName(word, name));
  return found !== undefined && isSameParameterValue(value, found.slice(found.indexOf("=") + 1));
}

/** Finds the words of a command line that set this parameter. */
export function findOptions(line: string, name: string): string[] {
  return line.split(/\s+/).filter((word) => hasName(word, name));
}

/** Sets the value: replaces the first option of that name and removes further ones, else appends it. Other words stay unchanged. */
export function setOption(line: string, name: string, value: string): string {
  if (hasOption(line, name, value)) return line;
  const option = `${name}=${value}`;
  let isSet = false;
  const changed = line.replace(/\S+/g, (word) => {
    if (!hasName(word, name)) return word;
    if (isSet) return "";
    isSet = true;
    return option;
  });
  return isSet ? changed : `${line.replace(/\s+$/, "")} ${option}`.trimStart();
}

/** Whether a value needs no quotes on a command line or in a boot loader's file. */
export function isPlainOption(value: string): boolean {
  return /^[\w.,:+=@%/-]+$/.test(value);
}

function hasName(word: string, name: string): boolean {
  const mark = word.indexOf("=");
  return mark > 0 && word.slice(0, mark).replaceAll("-", "_") === name.replaceAll("-", "_");
}
