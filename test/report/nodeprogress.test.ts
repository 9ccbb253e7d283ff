import { mock } from "node:test";
import t from "tap";
import { NodeProgress } from "../../report/nodeprogress.js";

t.beforeEach(() => mock.timers.enable({ apis: ["setTimeout", "setInterval"] }));
t.afterEach(() => mock.timers.reset());

t.test("a command that ends within a second prints no progress", async (t) => {
  const said: string[] = [];
  const progress = new NodeProgress(["a", "b"], (text) => said.push(text));
  progress.done("b", "b: fine");
  mock.timers.tick(900);
  progress.done("a", "a: fine");
  progress.end();
  mock.timers.tick(60_000);
  t.same(said, []);
});

t.test("after a second, finished nodes are printed as they come, and outstanding nodes at intervals", async (t) => {
  const said: string[] = [];
  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const progress = new NodeProgress(names, (text) => said.push(text));
  progress.done("c", "c: fine");
  t.same(said, []);
  mock.timers.tick(1000);
  t.same(said.splice(0), ["c: fine"]);
  progress.done("a", "a: refused");
  t.same(said.splice(0), ["a: refused"]);
  mock.timers.tick(4000);
  t.same(said.splice(0), ["waiting for b, d, e, f, g and 1 more (5 s)"]);
  for (const name of ["b", "d", "e", "f", "g"]) progress.done(name, name);
  said.splice(0);
  mock.timers.tick(5000);
  t.same(said.splice(0), ["waiting for h (10 s)"]);
  progress.end();
  mock.timers.tick(60_000);
  t.same(said, []);
});
