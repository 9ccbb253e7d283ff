"""Runs an Optuna study over muster: the `ask` program of a queue. Python 3.8+, Optuna 3 or newer.

    study = optuna.create_study(sampler=..., pruner=...)
    muster_optuna.serve(study, {"x": optuna.distributions.FloatDistribution(-2, 2)}, trials=100, value_of=lambda output: output["loss"])

The study lives in memory. When muster starts this program again, it sends the tasks and all results once more: the study is rebuilt from
them, so no database is needed.
"""
import importlib
import json
import math
import sys
from typing import Any, Callable, Dict, Iterator

# Not a plain import, so that tools accept this file where Optuna is not installed.
optuna: Any = importlib.import_module("optuna")


def serve(study: Any, space: Dict[str, Any], trials: int, value_of: Callable[[Any], float]) -> None:
    """Asks the study for trials as slots are idle, until `trials` of them have ended. `space`: the parameters, which the job declares, too.
    `value_of`: the objective value, from the output of a trial."""
    running: Dict[str, Any] = {}
    asked = ended = 0
    for message in read_messages():
        if "task" in message:  # of an earlier life of this program
            study.enqueue_trial(message["task"]["params"])
            running[message["task"]["id"]] = study.ask(space)
            asked += 1
        elif "want" in message:
            for _ in range(min(message["want"], trials - asked)):
                trial = study.ask(space)
                running["trial-%d" % trial.number] = trial
                say({"id": "trial-%d" % trial.number, "params": trial.params})
                asked += 1
        elif message.get("id") in running:
            trial = running[message["id"]]
            if "step" in message:
                report(trial, message["step"], message["value"])
                if trial.should_prune():
                    say({"stop": message["id"]})
                continue
            del running[message["id"]]
            finish(study, trial, message, value_of)
            ended += 1
            if ended == trials:
                say({"done": True})


def finish(study: Any, trial: Any, message: Dict[str, Any], value_of: Callable[[Any], float]) -> None:
    """Tells the study how a trial has ended."""
    for step, value in message.get("values", []):
        report(trial, step, value)
    if "failure" in message or "cancelled" in message:
        study.tell(trial, state=optuna.trial.TrialState.FAIL)
    elif message.get("stopped"):
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, value_of(message["output"]))


def report(trial: Any, step: int, value: "float | None") -> None:
    """A step that was reported before is left out."""
    if step not in trial.user_attrs.get("steps", []):
        trial.set_user_attr("steps", trial.user_attrs.get("steps", []) + [step])
        trial.report(math.nan if value is None else value, step)


def read_messages() -> Iterator[Dict[str, Any]]:
    for line in sys.stdin:
        yield json.loads(line)


def say(answer: Dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)
