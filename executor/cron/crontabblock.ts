/** The lines of a crontab that belong to one pipeline. `key` is the path of the pipeline file. */
export interface CrontabBlock {
  key: string;
  lines: string[];
}

const beginMarker = (key: string) => `# BEGIN muster ${key}`;
const endMarker = (key: string) => `# END muster ${key}`;

/** Replaces the block with the same key in a crontab, or appends it. All other bytes are kept. Pure. */
export function putBlock(crontab: string, { key, lines }: CrontabBlock): string {
  const text = `${[beginMarker(key), ...lines, endMarker(key)].join("\n")}\n`;
  const found = locateBlock(crontab, key);
  if (found !== undefined) return crontab.slice(0, found.from) + text + crontab.slice(found.to);
  return crontab === "" || crontab.endsWith("\n") ? crontab + text : `${crontab}\n${text}`;
}

/** Removes the block with this key. All other bytes are kept. Pure. */
export function removeBlock(crontab: string, key: string): string {
  const found = locateBlock(crontab, key);
  return found === undefined ? crontab : crontab.slice(0, found.from) + crontab.slice(found.to);
}

/** Returns the lines of the block with this key, without its markers; undefined where there is none. */
export function findBlockLines(crontab: string, key: string): string[] | undefined {
  const found = locateBlock(crontab, key);
  return found === undefined ? undefined : crontab.slice(found.from, found.to).trimEnd().split("\n").slice(1, -1);
}

/** Returns the offsets of a block with its line breaks. A begin marker without an end marker is ignored: someone has edited it. */
function locateBlock(crontab: string, key: string): { from: number; to: number } | undefined {
  let at = 0;
  let from: number | undefined;
  for (const line of crontab.split(/(?<=\n)/)) {
    // An editor may have given the whole crontab CRLF line breaks.
    const text = line.replace(/\r?\n$/, "");
    if (text === beginMarker(key)) from = at;
    at += line.length;
    if (text === endMarker(key) && from !== undefined) return { from, to: at };
  }
  return undefined;
}
