import { execFileSync } from "node:child_process";
import { join } from "node:path";
import t from "tap";
import { assessGpus } from "../../../fleet/gpus/gpuhealth.js";
import { projectRoot } from "../../lab/project.js";
import { expectedGpus, readCaptures } from "./capture.js";

const captures = readCaptures();
t.ok(captures.length >= 14, "captures are found");

for (const capture of captures)
  t.test(capture.id, async (t) => {
    const { known, answers, expect } = capture;
    const { sick, toolError } = assessGpus(expectedGpus(capture), known, answers);
    t.same([...sick.keys()], expect.sick, [...sick.values()].join("; "));
    if (expect.trouble === null) t.equal(toolError, undefined);
    else if (expect.trouble !== undefined) t.match(toolError, new RegExp(expect.trouble));
  });

t.test("a node that is checked for the first time", async (t) => {
  for (const capture of captures) {
    const { sick } = assessGpus(expectedGpus(capture), [], capture.answers);
    t.same([...sick.keys()], capture.expect.sick, capture.id);
  }
});

/** Runs the parser of templates/facts.py on what a tool printed. */
function understand(answer: [string, number, string, string]): { gpus?: { pci: string }[]; error?: string } {
  const program =
    "import json, sys; sys.path.insert(0, sys.argv[1]); import facts; print(json.dumps(facts.understand(*json.load(sys.stdin))))";
  const folder = join(projectRoot(), "templates");
  const output = execFileSync("python3", ["-B", "-c", program, folder], {
    input: JSON.stringify(answer),
    encoding: "utf8",
  });
  return JSON.parse(output);
}

t.test("the facts of a node", async (t) => {
  for (const { id, facts, known, expect } of captures) {
    if (facts === null) continue;
    const { gpus, error } = understand(facts);
    if (typeof expect.trouble === "string") t.match(`${facts[0]}: ${error}`, new RegExp(expect.trouble), id);
    else t.same({ error, found: gpus?.map(({ pci }) => pci) }, { error: undefined, found: known }, id);
  }
});
