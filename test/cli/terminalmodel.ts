/** What muster writes at once: a terminal shows nothing of it before its end. */
const FRAME_END = "\u001b[?2026l";
const SEQUENCE = /^\[(\??)([\d;]*)([A-Za-z])/;

/** A terminal that knows the sequences that muster may send, and throws for any other. Its lines wrap again when its width changes. */
export class TerminalModel {
  /** All lines, those that have scrolled away included. */
  readonly lines: string[] = [""];
  private row = 0;
  private column = 0;
  private unfinished = "";
  /** What the terminal showed after each write of the live view. */
  readonly frames: string[][] = [];

  constructor(
    private columns: number,
    private readonly rows: number,
  ) {}

  /** The lines that are visible now, without empty ones at the end. */
  get screen(): string[] {
    const visible = this.lines.slice(-this.rows).map((line) => line.trimEnd());
    while (visible.at(-1) === "") visible.pop();
    return visible;
  }

  write(text: string): void {
    const parts = (this.unfinished + text).split(FRAME_END);
    this.unfinished = parts.pop()!;
    for (const part of parts) {
      this.interpret(part);
      this.frames.push(this.screen);
    }
    // What is outside of a frame is shown at once; a frame may have come only in part.
    if (this.unfinished.includes("\u001b")) return;
    this.interpret(this.unfinished);
    this.unfinished = "";
  }

  /** Takes on another width: lines that are too long wrap. */
  resize(columns: number): void {
    this.columns = columns;
    const wrapped = this.lines.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, "g")) ?? [""]);
    this.row += wrapped.length - this.lines.length;
    this.lines.splice(0, this.lines.length, ...wrapped);
  }

  private interpret(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const character = text[at]!;
      if (character === "\u001b") at += this.control(text.slice(at)) - 1;
      else if (character === "\r") this.column = 0;
      else if (character === "\n") this.feedLine();
      else this.put(character);
    }
  }

  /** Carries out a sequence and returns its length. */
  private control(text: string): number {
    const [all, mode, number, letter] = SEQUENCE.exec(text.slice(1)) ?? [];
    if (all === undefined) throw new Error(`unknown sequence: ${JSON.stringify(text.slice(0, 20))}`);
    const count = Math.max(1, Number(number) || 0);
    if (letter === "m" || mode === "?") return 1 + all.length;
    if (letter === "A") this.row = Math.max(0, this.lines.length - this.rows, this.row - count);
    else if (letter === "B") this.row = Math.min(this.lines.length - 1, this.row + count);
    else if (letter === "H") [this.row, this.column] = [Math.max(0, this.lines.length - this.rows), 0];
    else if (letter === "G") this.column = count - 1;
    else if (letter === "K") this.edit((line) => (number === "2" ? "" : line.slice(0, this.column)));
    else if (letter === "J") {
      this.edit((line) => line.slice(0, this.column));
      this.lines.fill("", this.row + 1);
    } else throw new Error(`unknown sequence: ${JSON.stringify(all)}`);
    return 1 + all.length;
  }

  private put(character: string): void {
    if (this.column === this.columns) {
      this.feedLine();
      this.column = 0;
    }
    this.edit((line) => line.slice(0, this.column).padEnd(this.column) + character + line.slice(this.column + 1));
    this.column++;
  }

  private feedLine(): void {
    this.row++;
    if (this.row === this.lines.length) this.lines.push("");
  }

  private edit(change: (line: string) => string): void {
    this.lines[this.row] = change(this.lines[this.row]!);
  }
}
