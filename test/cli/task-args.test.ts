import t from "tap";
import { runMuster, TestFolder } from "./startmuster.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

t.test("the command of a job runs with the args of each task after its own arguments", async (t) => {
  const tasks = [{ id: "own", args: ["a b", "$HOME"] }, { id: "shared" }, { id: "none", args: [] }];
  shop.write("job.json", {
    name: "words",
    kind: "tasks",
    command: ["/bin/sh", "-c", 'printf "%s|" "$@" >{chunk}.txt', "sh", "x"],
    args: ["all"],
    tasks: tasks.map((task) => ({ ...task, outputs: [`${task.id}.txt`] })),
  });
  const ran = await runMuster(["run", "job.json", "-i", "local", "-q"], { cwd: shop.folder });
  t.equal(ran.code, 0, ran.err);
  const said = tasks.map(({ id }) => shop.read(`runs/words/results/${id}.txt`));
  t.same(said, ["x|a b|$HOME|", "x|all|", "x|"]);
});
