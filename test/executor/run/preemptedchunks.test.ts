import t from "tap";
import { PreemptedChunks } from "../../../executor/run/preemptedchunks.js";

t.test("a chunk must save first after it was preempted and had saved nothing, until it has", async (t) => {
  const chunks = new PreemptedChunks();
  t.notOk(chunks.mustSaveFirst("a"));
  chunks.record("a", false);
  t.ok(chunks.mustSaveFirst("a"));
  t.notOk(chunks.mustSaveFirst("b"));
  chunks.record("a", true);
  t.notOk(chunks.mustSaveFirst("a"));
});
