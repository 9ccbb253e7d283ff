/** Pure: reads `name=value` lines that a script has printed on a node; of each name, the last one counts. */
export function parseFactLines(answer: string): ReadonlyMap<string, string> {
  return new Map(
    answer.split("\n").flatMap((line) => {
      const at = line.indexOf("=");
      return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as [string, string]];
    }),
  );
}
