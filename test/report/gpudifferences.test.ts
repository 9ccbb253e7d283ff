import t from "tap";
import { groupGpuDifferences } from "../../report/gpudifferences.js";

const pci = (index: number) => `0000:0${index}:00.0`;
const power = (index: number, have: string) => ({ what: `GPU ${pci(index)} power`, have, want: "90 W" });

t.test("GPUs that differ alike are one block; others and files stay apart", async (t) => {
  const fan = (index: number) => ({ what: `GPU ${pci(index)} fan`, have: "auto", want: "60%" });
  const file = { what: "the file", have: "absent", want: "present" };
  const differences = [power(3, "100 W"), fan(3), power(4, "80 W"), power(5, "100 W"), fan(5), file];
  t.same(groupGpuDifferences(differences), {
    gpus: [
      `    2 GPUs: ${pci(3)}, ${pci(5)}`,
      "      power: 100 W; wanted: 90 W",
      "      fan: auto; wanted: 60%",
      `    GPU ${pci(4)} power: 80 W; wanted: 90 W`,
    ],
    others: [file],
  });
});

t.test("eight GPUs fit 80 columns", async (t) => {
  const { gpus } = groupGpuDifferences([1, 2, 3, 4, 5, 6, 7, 8].map((index) => power(index, "100 W")));
  t.equal(gpus.length, 3);
  t.ok(gpus.every((line) => line.length <= 80));
});
