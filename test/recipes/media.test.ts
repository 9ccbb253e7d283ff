import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster } from "../cli/startmuster.js";
import { shareLab } from "../lab/sharedlab.js";
import { lackingProgram, readRecipe, runProgram } from "./recipes.js";

const { skip, shop, inventory } = await shareLab(t, { nodes: 2, gpus: 0 });

t.test(
  "ImageMagick halves every image of a folder, once",
  { skip: skip || lackingProgram("mogrify", "imagemagick") },
  async (t) => {
    const names = ["Zebra.png", "a.png", "b.png", "my cat.png", "été.png"];
    mkdirSync(join(shop.folder, "images/photos"), { recursive: true });
    for (const [index, name] of names.entries())
      runProgram("convert", ["-size", `${64 + 2 * index}x48`, "gradient:", `images/photos/${name}`], shop.folder);
    const job = shop.write("images/images.yaml", readRecipe("images.yaml"));
    const ran = await runMuster(["run", job, "-i", inventory]);
    t.equal(ran.code, 0, ran.err);
    const found = new Map<string, string>();
    const results = join(shop.folder, "images/runs/images/results");
    for (const shard of readdirSync(results)) {
      for (const name of readdirSync(join(results, shard, "small"))) {
        t.notOk(found.has(name), `${name} is converted once`);
        found.set(name, runProgram("identify", ["-format", "%wx%h", join(results, shard, "small", name)]));
      }
    }
    t.same(Object.fromEntries(found), Object.fromEntries(names.map((name, index) => [name, `${32 + index}x24`])));
  },
);

t.test("ffmpeg's videos lie beside their sources", { skip: skip || lackingProgram("ffmpeg") }, async (t) => {
  mkdirSync(join(shop.folder, "videos/raw"), { recursive: true });
  const clips = { one: "160x120", two: "96x64" };
  for (const [name, size] of Object.entries(clips)) {
    const source = ["-f", "lavfi", "-i", `testsrc=duration=1:size=${size}:rate=10`];
    runProgram("ffmpeg", ["-v", "error", ...source, "-c:v", "mjpeg", `raw/${name}.avi`], join(shop.folder, "videos"));
  }
  const job = shop.write("videos/videos.yaml", readRecipe("videos.yaml"));
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  t.same(readdirSync(join(shop.folder, "videos/mp4")).sort(), ["one.mp4", "two.mp4"]);
  for (const [name, size] of Object.entries(clips)) {
    const entries = "stream=codec_name,width,height,nb_frames";
    const shown = ["-v", "error", "-show_entries", entries, "-of", "csv=p=0:s=x"];
    t.equal(
      runProgram("ffprobe", [...shown, join(shop.folder, `videos/mp4/${name}.mp4`)]).trim(),
      `h264x${size}x10`,
      name,
    );
  }
});

t.test("sed edits copies; sources are replaced only with --overwrite", { skip }, async (t) => {
  for (const name of ["a", "b"]) shop.write(`spelling/texts/${name}.txt`, `The colour of ${name}.\n`);
  const job = shop.write("spelling/spelling.yaml", readRecipe("spelling.yaml"));
  const ran = await runMuster(["run", job, "-i", inventory]);
  t.equal(ran.code, 0, ran.err);
  for (const name of ["a", "b"]) {
    t.equal(shop.read(`spelling/texts/${name}.txt`), `The colour of ${name}.\n`);
    t.equal(shop.read(`spelling/texts/${name}.txt.new`), `The color of ${name}.\n`);
  }
  const complete = await runMuster(["run", job, "-i", inventory, "--overwrite"]);
  t.match(complete.err, /--overwrite changes nothing in a complete run; add --fresh to run it again/);
  const over = await runMuster(["run", job, "-i", inventory, "--out", join(shop.folder, "again"), "--overwrite"]);
  t.equal(over.code, 0, over.err);
  for (const name of ["a", "b"]) t.equal(shop.read(`spelling/texts/${name}.txt`), `The color of ${name}.\n`);
});
