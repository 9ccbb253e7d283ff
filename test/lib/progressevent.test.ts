import t from "tap";
import { observeProgress } from "../../lib/progressevent.js";

t.test("what a listener throws or rejects with does not reach the run", async (t) => {
  const errors: unknown[] = [];
  const told: unknown[] = [];
  const listeners = [
    () => {
      throw "thrown";
    },
    async () => {
      throw "rejected";
    },
    (event: unknown) => told.push(event),
  ];
  for (const listener of listeners) observeProgress(listener, (error) => errors.push(error)).notice("text");
  await new Promise(setImmediate);
  t.same(errors, ["thrown", "rejected"]);
  t.same(told, [{ type: "notice", text: "text" }]);
});
