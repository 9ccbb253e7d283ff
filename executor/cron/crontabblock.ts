/** The lines of a crontab that belong to muster, for one pipeline. `key`: the path of its file. */
export interface CrontabBlock {
  key: string;
  lines: string[];
}

const beginMarker = (key: string) => `# BEGIN muster ${key}`;
const endMarker = (key: string) => `# END muster ${key}`;

/** Puts a block into a crontab: in the place of the one with its key, else at the end. Every other byte stays. Pure. */
export function putBlock(crontab: string, { key, lines }: CrontabBlock): string {
  const text = `${[beginMarker(key), ...lines, endMarker(key)].join("\n")}\n`;
  const found = locateBlock(crontab, key);
  if (found !== undefined) return crontab.slice(0, found.from) + text + crontab.slice(found.to);
  return crontab === "" || crontab.endsWith("\n") ? crontab + text : `${crontab}\n${text}`;
}

/** Takes the block with this key out. Every other byte stays. Pure. */
export function removeBlock(crontab: string, key: string): string {
  const found = locateBlock(crontab, key);
  return found === undefined ? crontab : crontab.slice(0, found.from) + crontab.slice(found.to);
}

/** The lines of the block with this key; undefined where there is none. */
export function findBlockLines(crontab: string, key: string): string[] | undefined {
  const found = locateBlock(crontab, key);
  return found === undefined ? undefined : crontab.slice(found.from, found.to).trimEnd().split("\n").slice(1, -1);
}

/** Where a block begins and ends, its line breaks included. A beginning without its end is not ours any more. */
function locateBlock(crontab: string, key: string): { from: number; to: number } | undefined {
  let at = 0;
  let from: number | undefined;
  for (const line of crontab.split(/(?<=\n)/)) {
    const text = line.replace(/\n$/, "");
    if (text === beginMarker(key)) from = at;
    at += line.length;
    if (text === endMarker(key) && from !== undefined) return { from, to: at };
  }
  return undefined;
}
