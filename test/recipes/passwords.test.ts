import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { lackingProgram, readRecipe } from "./recipes.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });

/** MD5-crypt hashes, of Charlie1, hotel7, and a password that no word of WORDS leads to. */
const HASHES = `ann:$1$abcdefgh$t38LWYdXu2fv0uHKltLoz0
bob:$1$abcdefgh$KAAgrDYKY7Al7fwlNMKFz.
cid:$1$abcdefgh$PkSsTKQlHJ3ZKmjpATQ4q0
`;
const WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india"];

t.test("john finds what its rules lead to, in whichever shard", { skip: skip || lackingProgram("john") }, async (t) => {
  shop.write("john/hashes.txt", HASHES);
  shop.write("john/words.txt", `${WORDS.join("\n")}\n`);
  const job = shop.write("john/john.yaml", readRecipe("john.yaml"));
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.equal(shop.results("john/runs/john").length, 8);
  const found = shop.read("john/runs/john/found.txt").trimEnd().split("\n");
  t.same([...new Set(found)].sort(), ["ann:Charlie1", "bob:hotel7"]);
});

/** Why hashcat is not run here; false if it has a device to run on. */
function lackingHashcat(): string | false {
  const lacking = lackingProgram("hashcat", "hashcat pocl-opencl-icd");
  if (lacking) return lacking;
  try {
    return !/Backend Device ID/.test(execFileSync("hashcat", ["-I"], { encoding: "utf8" })) && "hashcat has no device";
  } catch {
    return "hashcat has no device: apt-get install pocl-opencl-icd";
  }
}

// On this machine and not in the lab: there, each node would spend half a minute to compile hashcat's kernels.
t.test("hashcat searches every part of its keyspace once", { skip: lackingHashcat() }, async (t) => {
  const found = ["48151623", "90210007"].map((word) => `${createHash("md5").update(word).digest("hex")}:${word}`);
  const other = createHash("md5").update("no digits").digest("hex");
  shop.write("hashcat/hashes.txt", `${[...found.map((line) => line.split(":")[0]), other].join("\n")}\n`);
  const job = shop.write("hashcat/hashcat.yaml", readRecipe("hashcat.yaml"));
  const ran = await runMuster(["run", job, "-i", "local"]);
  t.equal(ran.code, 0, ran.err);
  t.same(shop.read("hashcat/runs/hashcat/results/found.txt").trimEnd().split("\n").sort(), found.sort());
});
