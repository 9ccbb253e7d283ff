import fc from "fast-check";
import t from "tap";
import { decodeAnswer, type Frame, FrameError, FrameParser, MAX_PAYLOAD_BYTES } from "../../../fleet/relay/frames.js";
import { encodeFrame, MAGIC } from "./fakerelay.js";

const frames = fc.array(
  fc.record({
    kind: fc.integer({ min: 0, max: 255 }),
    channel: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

/** Cuts a stream into parts of these lengths, over and over. */
function cut(stream: Buffer, lengths: number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let begin = 0; begin < stream.length; ) {
    const length = lengths[parts.length % lengths.length]!;
    parts.push(stream.subarray(begin, begin + length));
    begin += length;
  }
  return parts;
}

function parse(parser: FrameParser, parts: Buffer[]): Frame[] {
  return parts.flatMap((part) => [...parser.push(part)]);
}

t.test("frames arrive as they were sent, wherever the stream is cut and whatever precedes it", async (t) => {
  const noise = fc.string({ unit: "grapheme", maxLength: 200 }).filter((text) => !text.includes("\x1e"));
  const lengths = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(frames, noise, lengths, (sent, before, lengths) => {
      const stream = [
        Buffer.from(before + MAGIC),
        ...sent.map(({ kind, channel, payload }) => encodeFrame(kind, channel, payload)),
      ];
      const parser = new FrameParser();
      const received = parse(parser, cut(Buffer.concat(stream), lengths));
      return (
        parser.preamble === before &&
        received.length === sent.length &&
        sent.every(({ kind, channel, payload }, index) => {
          const frame = received[index]!;
          return frame.kind === kind && frame.channel === channel && frame.payload.equals(payload);
        })
      );
    }),
  );
  t.pass("property");
});

t.test("the longest frame is taken, in parts of a pipe and byte for byte at its ends", async (t) => {
  const payload = Buffer.alloc(MAX_PAYLOAD_BYTES, "x");
  const stream = Buffer.concat([Buffer.from(MAGIC), encodeFrame(68, 7, payload), encodeFrame(69, 8, "next")]);
  const [first, second] = parse(new FrameParser(), cut(stream, [65536, 1, 1]));
  t.ok(first?.payload.equals(payload));
  t.match(second, { kind: 69, channel: 8 });
});

const HOSTILE: [string, Buffer, RegExp][] = [
  ["a length above the limit", Buffer.concat([Buffer.from(MAGIC), Buffer.alloc(9, 0xff)]), /4294967295 bytes/],
  ["noise without end", Buffer.alloc(65537 + MAGIC.length, "x"), /64 KiB/],
  ["too much noise before the mark", Buffer.from("x".repeat(65537) + MAGIC), /64 KiB/],
];
for (const [what, stream, message] of HOSTILE)
  t.test(`${what} is refused`, async (t) => {
    t.throws(() => parse(new FrameParser(), [stream]), { message });
    t.throws(() => parse(new FrameParser(), cut(stream, [1000, 3])), { message }, "in parts, too");
  });

t.test("no bytes cause anything but frames and FrameErrors", async (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), fc.boolean(), (parts, isStarted) => {
      const parser = new FrameParser();
      if (isStarted) parse(parser, [Buffer.from(MAGIC)]);
      try {
        for (const { payload } of parse(parser, parts.map(Buffer.from))) decodeAnswer(payload);
      } catch (error) {
        return error instanceof FrameError;
      }
      return true;
    }),
  );
  t.pass("property");
});
