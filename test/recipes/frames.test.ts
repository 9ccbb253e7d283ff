import { mkdirSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runMuster, TestFolder } from "../cli/startmuster.js";
import { lackingProgram, readRecipe, runProgram } from "./recipes.js";

const shop = new TestFolder();
t.teardown(() => shop.remove());

/** Saves Blender's cube as `scene.blend`, so small that a frame takes no time. */
const SCENE = `
import bpy, os
scene = bpy.context.scene
scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 1, False
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 32, 24, 100
bpy.ops.wm.save_as_mainfile(filepath=os.path.abspath("scene.blend"))
`;

t.test("Blender renders each frame once", { skip: lackingProgram("blender") }, async (t) => {
  mkdirSync(join(shop.folder, "frames"));
  const words = ["-b", "--factory-startup", "-noaudio", "--python-expr", SCENE];
  runProgram("blender", words, join(shop.folder, "frames"));
  const job = shop.write("frames/frames.yaml", readRecipe("frames.yaml"));
  const ran = await runMuster(["run", job, "-i", "local", "--range", "1:8"]);
  t.equal(ran.code, 0, ran.err);
  const chunks = shop.results("frames/runs/frames") as { chunk: string; files: { path: string }[] }[];
  const names = chunks.flatMap(({ files }) => files.map(({ path }) => path.split("/").at(-1)!));
  t.same(
    names,
    Array.from({ length: 7 }, (_, index) => `000${index + 1}.png`),
    "in the order of their chunks",
  );
  for (const { files } of chunks)
    for (const { path } of files) {
      const head = shop.read(`frames/runs/frames/results/${path}`).slice(1, 4);
      t.equal(head, "PNG", path);
    }
});
