import t from "tap";
import type { Failure } from "../../../../executor/schedule/events.js";
import { findFailureKind } from "../../../../executor/schedule/halting/failurekind.js";

function failure(stderr: string, change: Partial<Failure> = {}): Failure {
  const place = { chunk: "0-10", node: "a", slot: 0, attempt: 1 };
  return { ...place, exit: 1, signal: null, reason: "exit code 1", stderr, ...change };
}

const ALIKE: [what: string, one: Failure, other: Failure][] = [
  ["numbers", failure("ValueError: seed 17 is odd"), failure("ValueError: seed 1900 is odd")],
  ["quoted names", failure("KeyError: 'zebra'"), failure("KeyError: 'ant'")],
  ["paths", failure("No such file: /data/a/b.png"), failure("No such file: /data/cc.png")],
  ["names of files", failure("", { reason: "no output a.json" }), failure("", { reason: "no output b-2.json" })],
  ["addresses", failure("free(): 0x7f3a01"), failure("free(): 0x7bcdef")],
  ["all but the last line", failure("step 1\nboom"), failure("another thing\nboom\n\n")],
];
for (const [what, one, other] of ALIKE)
  t.test(`failures that differ in ${what} are alike`, async (t) =>
    t.equal(findFailureKind(one), findFailureKind(other)),
  );

const UNLIKE: [what: string, one: Failure, other: Failure][] = [
  ["exit statuses", failure("x", { exit: 1 }), failure("x", { exit: 2 })],
  ["signals", failure("", { exit: null, signal: 9 }), failure("", { exit: null, signal: 11 })],
  ["reasons", failure("", { reason: "no output a.json" }), failure("", { reason: "still running" })],
  ["exceptions", failure("KeyError: 'a'"), failure("TypeError: 'a'")],
  ["classes of a module", failure("torch.cuda.OutOfMemoryError"), failure("torch.cuda.CudaError")],
];
for (const [what, one, other] of UNLIKE)
  t.test(`failures with other ${what} are not alike`, async (t) => t.not(findFailureKind(one), findFailureKind(other)));

t.test("a line of a hostile node takes no time", async (t) => {
  const start = performance.now();
  for (const part of ['"', "'a", "/", "a.", "0x", "-."]) findFailureKind(failure(part.repeat(100_000)));
  t.ok(performance.now() - start < 10_000);
});
