import { StringDecoder } from "node:string_decoder";
import type { FollowEvent, FollowSink } from "../executor/run/follow/followevent.js";
import { formatStreamedLine } from "../report/commandoutput.js";
import { formatFollowEvent } from "../report/followtext.js";
import type { Writers } from "../report/writers.js";
import { LinePrinter } from "./lineprinter.js";
import { printPiece, waitForStdout } from "./terminal.js";

const LINE_FEED = 10;

/** Returns what prints the output of one chunk as it comes, and on stderr what happens to the chunk. */
export function createChunkPrinter(writers: Writers, isQuiet: boolean): FollowSink {
  const decoders = { out: new StringDecoder(), err: new StringDecoder() };
  let [last, isLineOpen]: ["out" | "err", boolean] = ["out", false];
  const print = (stream: "out" | "err", bytes: Buffer) => {
    // A line of one stream does not continue in a line of the other one.
    if (isLineOpen && stream !== last) printPiece(Buffer.from("\n"), decoders[stream]);
    printPiece(bytes, decoders[stream]);
    [last, isLineOpen] = [stream, bytes.at(-1) !== LINE_FEED];
  };
  return async (event) => {
    if (event.type === "output") print(event.stream, event.bytes);
    else if (!isQuiet || event.type === "nodeLost") writers.err(formatFollowEvent(event));
    await waitForStdout();
  };
}

/** Returns what prints whole lines of all chunks, each after the name of its chunk. Of a line that was overwritten, the last text stays. */
export function createRunPrinter(writers: Writers, isQuiet: boolean): FollowSink {
  const printer = new LinePrinter((chunk, _, line) => writers.out(formatStreamedLine(chunk, takeLastText(line))));
  return async (event) => {
    if (event.type === "output") printer.add(event.chunk, event.stream === "out" ? "stdout" : "stderr", event.bytes);
    else {
      if (endsOutput(event)) printer.finish(event.chunk);
      if (!isQuiet || event.type === "nodeLost") writers.err(formatFollowEvent(event));
    }
    await waitForStdout();
  };
}

/** Whether the lines of a chunk that are not complete will not be continued. */
function endsOutput(event: FollowEvent): event is FollowEvent & { type: "ended" | "started" | "collected" } {
  return event.type === "ended" || event.type === "started" || event.type === "collected";
}

function takeLastText(line: string): string {
  return line.split("\r").findLast((text) => text !== "") ?? "";
}
