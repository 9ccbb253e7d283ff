"""Cuts the survivors into chunks, and writes a jobs file that scores them with the settings of the best trial."""
import argparse
import glob
import json
import os

options = argparse.ArgumentParser()
options.add_argument("--output", required=True)
options.add_argument("--chunk-size", type=int, default=25)
options = options.parse_args()
trials = [json.load(open(path)) for path in sorted(glob.glob("scorer_trial_results/trial_*.json"))]
best = max(trials, key=lambda trial: (trial["spread"], -trial["tolerance"]))
with open("survivors.json") as file:
    survivors = json.load(file)
os.makedirs("scoring_chunks", exist_ok=True)
jobs = []
for start in range(0, len(survivors), options.chunk_size):
    name = f"chunk_{start // options.chunk_size + 1:04d}"
    with open(f"scoring_chunks/{name}.json", "w") as file:
        json.dump(survivors[start : start + options.chunk_size], file)
    args = ["--survivors", f"scoring_chunks/{name}.json", "--tolerance", best["tolerance"], "--output", f"scoring_results/{name}.json"]
    jobs.append({"job_id": f"scoring_{name}", "script": "full_scoring_worker.py", "args": args})
with open(options.output, "w") as file:
    json.dump({"jobs": jobs}, file, indent=2)
