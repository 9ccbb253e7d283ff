"""Writes a jobs file with one trial of the scorer's settings a job."""
import argparse
import json

options = argparse.ArgumentParser()
options.add_argument("--output", required=True)
options.add_argument("--trials", type=int, default=6)
options = options.parse_args()
jobs = [
    {
        "job_id": f"trial_{number}",
        "script": "scorer_trial_worker.py",
        "args": ["--tolerance", number, "--survivors", "survivors.json", "--output", f"scorer_trial_results/trial_{number}.json"],
        "gpu_id": number % 2,
    }
    for number in range(options.trials)
]
with open(options.output, "w") as file:
    json.dump({"jobs": jobs}, file, indent=2)
