import t from "tap";
import { shareLab } from "../lab/sharedlab.js";
import { followTerminal } from "./followterminal.js";
import { typeKeys } from "./pseudoterminal.js";
import { runMuster } from "./startmuster.js";

const { skip, shop, nodes, inventory } = await shareLab(t, { nodes: ["zeus"], gpus: 2, vendor: "nvidia" }, "GPUs");

t.test("NVIDIA's tool stays running while its GPUs are watched, and ends with it", { skip }, async (t) => {
  const zeus = nodes[0]!;
  const listTools = () =>
    zeus
      .processes()
      .flatMap(({ pid, argv }) => (argv.includes("-l") && argv.join(" ").includes("nvidia-smi") ? [pid] : []));
  const { child, waitFor, ended } = followTerminal(t, ["top", "-i", inventory], { cwd: shop.folder });
  zeus.setGpus({ busy: { 1: 12 } });
  await waitFor("its figures", /^ {2}1 {6}- +12 % +0\.0\/12\.0 GiB +21 W +38 °C$/);
  const tools = listTools();
  t.equal(tools.length, 1);
  zeus.setGpus({ busy: { 1: 34 }, used: { 1: 6144 } });
  await waitFor("new figures", /^ {2}1 {6}- +34 % +6\.0\/12\.0 GiB/);
  t.same(listTools(), tools, "by the same process");
  zeus.setGpus({ lost: [0] });
  await waitFor("what the tool says", /^zeus {2}.*, Unable to determine the device handle/);
  zeus.setGpus({ lost: [], tools: "hang" });
  await waitFor("old figures are no figures", /^ {2}1 {6}- +no answer/);
  zeus.setGpus({ tools: undefined });
  typeKeys(child, "q");
  t.equal((await ended).code, 0);
  t.same(await zeus.quiet(20), [], "nothing runs on");
});

t.test("a driver that is not loaded is told in one look", { skip }, async (t) => {
  nodes[0]!.setGpus({ tools: "fail" });
  const { out, code } = await runMuster(["top", "-i", inventory], { cwd: shop.folder });
  t.equal(code, 0);
  t.match(out, /\nzeus {2}load .*, ERROR:root:Driver not initialized/);
});
