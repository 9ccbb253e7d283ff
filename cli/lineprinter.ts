import { StringDecoder } from "node:string_decoder";

type StreamName = "stdout" | "stderr";

/** A line without an end is printed in pieces of this size. */
const MAX_LINE_CHARACTERS = 64 * 1024;

interface OpenLine {
  readonly node: string;
  readonly name: StreamName;
  readonly decoder: StringDecoder;
  text: string;
}

/** Prints whole lines of the output streams of nodes as they arrive. */
export class LinePrinter {
  private readonly streams = new Map<string, OpenLine>();

  constructor(private readonly print: (node: string, name: StreamName, line: string) => void) {}

  add(node: string, name: StreamName, bytes: Buffer): void {
    const stream = this.streams.get(`${name} ${node}`) ?? { node, name, decoder: new StringDecoder(), text: "" };
    this.streams.set(`${name} ${node}`, stream);
    const lines = (stream.text + stream.decoder.write(bytes)).split("\n");
    stream.text = lines.pop()!;
    for (const line of lines) this.print(node, name, line);
    if (stream.text.length > MAX_LINE_CHARACTERS) this.flush(stream);
  }

  /** Prints what has no end of line in the streams of a node that has ended. */
  finish(node: string): void {
    for (const [key, stream] of this.streams) {
      if (stream.node !== node) continue;
      this.flush(stream);
      this.streams.delete(key);
    }
  }

  /** Prints what has no end of line. */
  end(): void {
    for (const stream of this.streams.values()) this.flush(stream);
  }

  private flush(stream: OpenLine): void {
    if (stream.text !== "") this.print(stream.node, stream.name, stream.text);
    stream.text = "";
  }
}
