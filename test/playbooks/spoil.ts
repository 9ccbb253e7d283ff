import type { Test } from "tap";
import type { LabNode } from "../lab/lab.js";
import { findVerdict, listWrong, type TestNode } from "./testnode.js";

/** A way to spoil a node: what root does there, which resource then says what. `kept`: it cannot be repaired, and this undoes it. */
export interface Spoil {
  name: string;
  script: string;
  resource: string;
  says: RegExp;
  /** Further resources, after it, that differ by that, and are in sync once it is mended. */
  also?: string[];
  kept?: { reason: RegExp; undo: string };
}

/** Spoils a node that is in sync; asserts that exactly this is found, mended (unless it cannot be), and then gone. */
export async function spoilAndMend(t: Test, bench: TestNode, node: LabNode, spoil: Spoil): Promise<void> {
  const { script, resource, says, kept, also = [] } = spoil;
  const clean = await bench.verify();
  t.same(listWrong(clean), [], "it is in sync at first");
  await node.exec(["sh", "-c", `set -e; ${script}`]);
  const before = await bench.verify();
  t.same(
    listWrong(before),
    [resource, ...also].map((name) => `${name}: drift`),
  );
  const { what, have, want } = findVerdict(before, resource).differences[0]!;
  t.match(`${what}: ${have} / ${want}`, says);
  t.not(before.fingerprint, clean.fingerprint);
  const repaired = await bench.provision();
  if (kept !== undefined) {
    t.same(listWrong(repaired), [`${resource}: failed`]);
    t.match(findVerdict(repaired, resource).reason, kept.reason);
    await node.exec(["sh", "-c", `set -e; ${kept.undo}`]);
    await bench.provision();
  } else t.same(listWrong(repaired), [`${resource}: changed`], findVerdict(repaired, resource).reason ?? "mended");
  const after = await bench.verify();
  t.same(listWrong(after), []);
  t.equal(after.fingerprint, clean.fingerprint);
}
