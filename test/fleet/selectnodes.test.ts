import t from "tap";
import { parseInventory, selectFleet, selectNodes } from "../../fleet/inventory.js";
import { parseSource } from "../../schemas/parsesource.js";
import { catchError } from "../schemas/problems.js";

const TEXT = `nodes:
  zeus: {connection: local}
  rig: {tags: [gpus]}
  hpc: {engine: slurm, tags: [gpus, slow]}
  uni: {engine: slurm, tags: [slow]}
`;
const fleet = parseInventory(parseSource("i.yaml", TEXT), "/i.yaml");

t.test("a limit selects machines and clusters", async (t) => {
  const table: [limit: string | undefined, nodes: string[], clusters: string[]][] = [
    [undefined, ["zeus", "rig"], ["hpc", "uni"]],
    ["gpus", ["rig"], ["hpc"]],
    ["slow", [], ["hpc", "uni"]],
    ["!slow", ["zeus", "rig"], []],
    ["hpc,zeus", ["zeus"], ["hpc"]],
    ["*i*,!rig", [], ["uni"]],
  ];
  for (const [limit, nodes, clusters] of table) {
    const selected = selectFleet(fleet, limit);
    t.strictSame(
      [selected.nodes.map(({ name }) => name), selected.clusters.map(({ name }) => name)],
      [nodes, clusters],
      `${limit}`,
    );
  }
  t.match(
    catchError(() => selectFleet(fleet, "hcp")),
    { message: 'no node or tag is called "hcp"', next: 'did you mean "hpc"?' },
  );
  t.match(
    catchError(() => selectFleet({ nodes: fleet.nodes, unusedFile: "../inventory.yaml" }, "rig7")),
    { message: 'no node or tag is called "rig7"', next: /there is an inventory above: -i \.\.\/inventory\.yaml/ },
  );
  t.match(
    catchError(() => selectFleet(fleet, "hpc,!hpc")),
    { message: '--limit "hpc,!hpc" leaves no node' },
  );
  t.strictSame(selectFleet({ nodes: fleet.nodes }, "rig").clusters, [], "those who have machines alone");
});

t.test("commands for machines leave clusters out, and say so where nothing else is selected", async (t) => {
  const table: [limit: string | undefined, nodes: string[]][] = [
    [undefined, ["zeus", "rig"]],
    ["gpus", ["rig"]],
    ["hpc,zeus", ["zeus"]],
  ];
  for (const [limit, nodes] of table)
    t.strictSame(
      selectNodes(fleet, limit).map(({ name }) => name),
      nodes,
      `${limit}`,
    );
  for (const limit of ["hpc", "slow"])
    t.strictSame(
      catchError(() => selectNodes(fleet, limit)),
      {
        exit: 64,
        message: "hpc is a Slurm cluster, and this command is for machines",
        next: "clusters are for muster run, nodes and doctor; name machines here",
      },
    );
});
