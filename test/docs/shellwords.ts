const OPERATORS = new Set(["|", ";", "&", "<", ">"]);

/**
 * Returns the simple commands of a line for a shell as words: those between pipes, redirections (whose files become commands of
 * their own) and semicolons. Knows quotes, backslashes and comments; expands nothing.
 */
export function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  let word: string | undefined;
  const endWord = () => {
    if (word !== undefined) commands.at(-1)!.push(word);
    word = undefined;
  };
  for (let at = 0; at < line.length; at++) {
    const character = line[at]!;
    if (character === "'" || character === '"') {
      const end = line.indexOf(character, at + 1);
      if (end < 0) throw new Error(`a quote is not closed: ${line}`);
      word = (word ?? "") + line.slice(at + 1, end);
      at = end;
    } else if (character === "\\") word = (word ?? "") + (line[++at] ?? "");
    else if (/\s/.test(character)) endWord();
    else if (character === "#" && word === undefined) break;
    else if (OPERATORS.has(character)) {
      endWord();
      commands.push([]);
    } else word = (word ?? "") + character;
  }
  endWord();
  return commands.filter((words) => words.length > 0);
}
