import t from "tap";
import { parseClusterFile } from "../../../fleet/discovery/clusterfile.js";

t.test("a cluster file of the Python coordinators gives hosts; passwords and counts of GPUs stay behind", async (t) => {
  const file = {
    nodes: [
      { hostname: "localhost", gpu_count: 2, max_concurrent_script_jobs: 2, python_env: "/home/m/torch/bin/activate" },
      { hostname: "10.0.0.4", username: "m", password: "secret", gpu_count: 12, python_env: "/home/m/rocm_env" },
      { hostname: "rig3", max_concurrent_script_jobs: 0, python_env: "/usr/bin/python3.11", script_path: "/home/m/x" },
    ],
  };
  t.same(parseClusterFile(JSON.stringify(file), "c.json"), [
    { host: "localhost", maxConcurrent: 2, python: "/home/m/torch/bin/python" },
    { host: "10.0.0.4", user: "m", python: "/home/m/rocm_env/bin/python" },
    { host: "rig3", python: "/usr/bin/python3.11" },
  ]);
});

for (const [text, reason] of [
  ["{", /c\.json: it is not a distributed_config\.json: .*JSON/],
  ["[]", /it has no list `nodes`/],
  ['{"nodes": {}}', /it has no list `nodes`/],
  ['{"nodes": [{"hostname": "a"}, {"host": "b"}]}', /nodes\[1\] has no hostname/],
] as const)
  t.throws(() => parseClusterFile(text, "c.json"), { code: "INVALID_FILE", message: reason }, text);
