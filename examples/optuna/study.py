"""Tunes the learning rate and the momentum of train.py: TPE, and median pruning of trials that do worse than others at the same step."""
import sys

import muster_optuna
from muster_optuna import optuna

SPACE = {
    "rate": optuna.distributions.FloatDistribution(1e-4, 1.0, log=True),
    "momentum": optuna.distributions.FloatDistribution(0.0, 0.99),
}

study = optuna.create_study(
    sampler=optuna.samplers.TPESampler(seed=1, constant_liar=True),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=5),
)
muster_optuna.serve(study, SPACE, trials=30, value_of=lambda output: output["loss"])
print("best: %.4g at %s" % (study.best_value, study.best_params), file=sys.stderr)
