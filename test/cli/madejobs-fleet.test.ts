import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { committedChunks } from "../faults/checks.js";
import { shareLab } from "../lab/sharedlab.js";
import { waitUntil } from "../lab/waituntil.js";
import { runMuster, startMuster, waitForExit } from "./startmuster.js";

const { skip, shop, lab, inventory } = await shareLab(t, { nodes: 2, gpus: 2, vendor: "amd" }, "jobs that steps make");

t.test(
  "a made job and repetitions on nodes, the coordinator killed within both: every chunk runs once",
  { skip },
  async (t) => {
    shop.write(
      "made/prepare.py",
      `import json, sys
out = sys.argv[1]
entry = lambda n: {"job_id": f"score-{n}", "script": "work.py", "args": [str(n), "--output", f"scores/{n}.json"]}
json.dump({"jobs": [entry(n) for n in range(12)]}, open(out + "/jobs.json", "w"))
open(out + "/seeds", "w").write("\\n".join("abc"))
`,
    );
    shop.write("made/code/helper.py", "def score(n): return n * n\n");
    shop.write(
      "made/code/work.py",
      `import os, sys, time, helper
open("/root/ran", "a").write("x\\n")
time.sleep(0.3)
os.makedirs("scores", exist_ok=True)
open(sys.argv[3], "w").write(str(helper.score(int(sys.argv[1]))))
`,
    );
    shop.write("made/fit.yaml", {
      kind: "matrix",
      matrix: { n: [0, 4] },
      params: { seed: "" },
      command: ["sh", "-c", "echo x >> /root/ran; sleep 0.3; echo $0$1 > fit"],
      args: ["{seed}", "{n}"],
      outputs: ["fit"],
      aggregate: { from: "fit", as: "concat", to: "fits" },
    });
    const file = shop.write("made/p.yaml", {
      steps: {
        prepare: { command: ["python3", "prepare.py", "{out}"], outputs: ["jobs.json", "seeds"] },
        scoring: { job: "prepare/jobs.json", folder: "code" },
        fit: { job: "fit.yaml", each: { lines: "prepare/seeds" }, set: { seed: "{each}" }, needs: ["scoring"] },
        end: {
          command: ["sh", "-c", "cat {in}/scores/scores/* {in}/fits/*/fits > {out}/all"],
          inputs: { scores: "scoring", fits: "fit/fits" },
          outputs: ["all"],
        },
      },
    });
    const hasCommitted = (step: string) => {
      const folder = join(shop.folder, "made/runs/p", step);
      return existsSync(join(folder, "journal.ndjson")) && committedChunks(folder).length > 0;
    };
    for (const step of ["scoring", "fit/b"]) {
      const coordinator = startMuster(["run", file, "-i", inventory]);
      const end = waitForExit(coordinator);
      await waitUntil(`a chunk of ${step} is done`, () => hasCommitted(step));
      coordinator.kill("SIGKILL");
      await end;
    }
    const last = await runMuster(["run", file, "-i", inventory, "--json"]);
    t.equal(last.code, 0, last.err + last.out);
    t.equal(shop.results("made/runs/p/scoring").length, 12);
    for (const seed of "abc")
      t.equal(shop.read(`made/runs/p/fit/${seed}/fits`), [0, 1, 2, 3].map((n) => `${seed}${n}\n`).join(""));
    t.equal(shop.read("made/runs/p/scoring/results/scores/11.json"), "121");
    t.match(shop.read("made/runs/p/end/results/all"), /121.*a0\n(.*\n)*c3\n$/s);
    const ran = lab.nodes.map((node) => readFileSync(join(node.root, "root/ran"), "utf8").split("\n").length - 1);
    t.equal(ran[0]! + ran[1]!, 24);
  },
);
