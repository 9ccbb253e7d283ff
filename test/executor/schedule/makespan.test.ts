import t from "tap";
import { compete, contestants, settings } from "../../../bench/schedule/contest.js";

const [muster] = contestants;

t.test("the makespan stays near the fluid bound, seeds and faults of bench/schedule.ts", async (t) => {
  for (const setting of settings) {
    const limit = setting.noise === 0 ? 1.02 : 1.05;
    const { worst } = compete(muster!, setting, [1, 2, 3, 4]);
    t.ok(worst <= limit, `${setting.name}: ${worst.toFixed(3)} of at most ${limit}`);
    t.ok(worst >= 1, "no run beats the bound");
  }
});
