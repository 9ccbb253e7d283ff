import { stripVTControlCharacters } from "node:util";
import { createLogUpdate } from "log-update";
import { countColumns } from "./columns.js";

/** Terminals that know these show everything in between at once; others ignore them. */
const BEGIN_SYNCHRONIZED = "\u001b[?2026h";
const END_SYNCHRONIZED = "\u001b[?2026l";

/** The terminal of a live view. */
export interface ScreenStream {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
  on(event: "resize", listener: () => void): unknown;
  off(event: "resize", listener: () => void): unknown;
}

/**
 * Keeps some lines at the bottom of what a command prints on a terminal. Whatever it draws or prints is one write, so that the lines
 * neither flicker nor move.
 */
export class LiveScreen {
  private lines: string[] = [];
  private pending = "";
  private readonly draw: ReturnType<typeof createLogUpdate>;
  private readonly resize = () => this.handleResize();

  /** `redraw` is called when the terminal has another size. */
  constructor(
    private readonly stream: ScreenStream,
    private readonly redraw: () => void,
  ) {
    const collect = {
      get columns() {
        return stream.columns ?? 80;
      },
      get rows() {
        return stream.rows ?? 24;
      },
      write: (text: string) => {
        this.pending += text;
        return true;
      },
    };
    this.draw = createLogUpdate(collect as unknown as NodeJS.WritableStream, { showCursor: true });
    stream.on("resize", this.resize);
  }

  get columns(): number {
    return this.stream.columns || 80;
  }

  get rows(): number {
    return this.stream.rows || 24;
  }

  /** Replaces the lines, each of which must fit into the terminal's width. */
  show(lines: string[]): void {
    // log-update leaves lines below a changed part where they are, even if they belong elsewhere now.
    if (lines.length !== this.lines.length) this.draw.clear();
    this.lines = lines;
    if (lines.length === 0) this.draw.clear();
    else this.draw(lines.join("\n"));
    this.flush();
  }

  /** Prints text above the lines. */
  print(text: string): void {
    this.draw.clear();
    this.pending += `${text}\n`;
    this.show(this.lines);
  }

  /** Removes the lines. */
  end(): void {
    this.stream.off("resize", this.resize);
    this.show([]);
    this.draw.done();
  }

  /** Most terminals wrap lines that have become too long, so that what is there takes up more rows than were drawn. */
  private handleResize(): void {
    const widths = this.lines.map((line) => countColumns(stripVTControlCharacters(line)));
    const wrapped = widths.reduce((sum, width) => sum + Math.max(0, Math.ceil(width / this.columns) - 1), 0);
    this.draw.clear();
    if (wrapped > 0) this.pending += `\u001b[${wrapped}A\r\u001b[J`;
    this.redraw();
  }

  private flush(): void {
    if (this.pending !== "") this.stream.write(`${BEGIN_SYNCHRONIZED}${this.pending}${END_SYNCHRONIZED}`);
    this.pending = "";
  }
}
