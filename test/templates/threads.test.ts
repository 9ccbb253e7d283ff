import t from "tap";
import { attachAgent } from "./agentdriver.js";

const NAMES = ["OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR", "RAYON", "NUMBA"].map((name) => `${name}_NUM_THREADS`);
const WITHOUT = Object.fromEntries(NAMES.map((name) => [name, undefined]));
const SHOW = `env | grep _NUM_THREADS= | sort > out; true`;

const all = (count: number, except: string[] = []) =>
  NAMES.filter((name) => !except.includes(name)).map((name) => `${name}=${count}`);

t.test("the libraries of a program get as many threads as its spec says", async (t) => {
  type Row = [what: string, threads: number | undefined, env: Record<string, string>, wanted: string[]];
  const table: Row[] = [
    ["as the spec says", 3, {}, all(3)],
    ["no number", undefined, {}, []],
    ["the job limits all of them", 3, { OMP_NUM_THREADS: "9" }, ["OMP_NUM_THREADS=9"]],
    ["the job limits them to nothing", 3, { OMP_NUM_THREADS: "" }, ["OMP_NUM_THREADS="]],
    ["the job limits one", 3, { MKL_NUM_THREADS: "5" }, [...all(3, ["MKL_NUM_THREADS"]), "MKL_NUM_THREADS=5"]],
  ];
  const { attachment } = await attachAgent(t, {}, WITHOUT);
  for (const [index, [what, threads, env, wanted]] of table.entries()) {
    const done = await attachment.run(`a${index}`, SHOW, { env, outputs: ["out"], threads });
    t.same(linesOf(done.outputs[0]?.data), wanted.sort(), what);
  }
});

t.test("what the profile or the node sets stays as it is", async (t) => {
  const ofNode = await attachAgent(t, {}, { ...WITHOUT, OMP_NUM_THREADS: "6" });
  const own = await ofNode.attachment.run("a", SHOW, { outputs: ["out"], threads: 3 });
  t.same(linesOf(own.outputs[0]?.data), ["OMP_NUM_THREADS=6"]);
  const ofProfile = await attachAgent(t, { env: { OMP_NUM_THREADS: "7" } }, WITHOUT);
  const set = await ofProfile.attachment.run("a", SHOW, { outputs: ["out"], threads: 3 });
  t.same(linesOf(set.outputs[0]?.data), ["OMP_NUM_THREADS=7"]);
});

t.test("the agent tells how many cores it may use", async (t) => {
  const { hello, attachment } = await attachAgent(t);
  const done = await attachment.run("a", "nproc > out", { outputs: ["out"] });
  t.same(linesOf(done.outputs[0]?.data), [`${hello.cores}`]);
});

function linesOf(data: string | undefined): string[] {
  return Buffer.from(data ?? "", "base64")
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}
