"""Writes a jobs file that compares four kinds of model, each in a process of its own."""
import argparse
import json

options = argparse.ArgumentParser()
options.add_argument("--output", required=True)
options = options.parse_args()
jobs = [
    {
        "job_id": f"anti_overfit_{model}",
        "script": "anti_overfit_trial_worker.py",
        "args": ["--model", model, "--parameters", "optimal_parameters.json", "--output", f"anti_overfit_results/{model}.json"],
    }
    for model in ("mean", "last", "linear", "generator")
]
with open(options.output, "w") as file:
    json.dump({"jobs": jobs}, file, indent=2)
