"""``gesturehand sweep``: a W&B sweep file, run by W&B if somebody is logged in, and by Optuna otherwise."""

import os
import sys
from pathlib import Path
from typing import Any

from gesturehand.cli.console import print_table, say
from gesturehand.cli.experiments import find_experiment
from gesturehand.errors import UserError
from gesturehand.extras import install


def sweep(
    file: str,
    trials: int | None = None,
    local: bool = False,
    name: str | None = None,
    runs: str = "runs",
    seed: int = 0,
    wandb_project: str = "gesturehand",
    cluster: str | None = None,
    processes: int | None = None,
) -> None:
    """Runs a W&B sweep file: with W&B's server where you are logged in, on this machine with Optuna otherwise.

    Without W&B, a sweep is kept in <runs>/sweeps/<name>; the same command continues an interrupted one. It ends with a
    table, best.yaml (ready for `gesturehand fit --config`), sweep.png and trials.json.

    Args:
        file: The sweep, for instance experiments/sweeps/demo_finetune.yaml, or one of the package by name.
        trials: Total number of trials; by default the file's run_cap, every point of a grid, or 20.
        local: Run on this machine even if you are logged in to W&B.
        name: Name of the sweep; the file's if not given.
        runs: Folder of all runs.
        seed: Seeds the choice of values.
        wandb_project: W&B project of a sweep that W&B runs.
        cluster: Who runs the trials, if not this machine one after the other: "local" for several at a time on this
            machine, the address of a scheduler as "tcp://host:8786", or a YAML file for SLURM, PBS or LSF. Optuna then
            chooses the values even if you are logged in to W&B. See docs/cluster.md.
        processes: Trials at a time of --cluster local, one per GPU, or per core without a GPU, unless given; of a YAML
            file, jobs.
    """
    if processes is not None and cluster is None:
        raise UserError("--processes says how many trials --cluster runs at a time: give --cluster local, too.")
    try:
        from gesturehand.sweeps.sweep_file import read_sweep, read_sweep_content
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "optuna":
            raise
        raise UserError(f"A sweep needs Optuna, which reads its file: {install('sweeps')}.") from None

    file = str(find_experiment(file) or file)
    _check_keys(read_sweep_content(Path(file)))
    from gesturehand.cli.training.loggers import wandb_is_online

    if wandb_is_online() and not local and cluster is None:
        _with_wandb(file, trials, wandb_project)
        return
    from gesturehand.sweeps.local import run_locally
    from gesturehand.sweeps.results import sweep_table, write_results

    plan = read_sweep(file)
    folder = Path(runs) / "sweeps" / (name or Path(file).stem)
    if cluster is None:
        study = run_locally(plan, folder, trials=trials, seed=seed)
    else:
        from gesturehand.cluster import Cluster
        from gesturehand.sweeps.on_cluster import run_on_cluster

        with Cluster(cluster, workers=processes, gpu=True, folder=folder) as workers:
            study = run_on_cluster(plan, folder, workers, trials=trials, seed=seed)
    # A table in a log file has no terminal to fit into.
    print_table(sweep_table(plan, study), width=140)
    for path in write_results(plan, study, folder):
        say(f"Written to {path}")


def _check_keys(content: dict[str, Any]) -> None:
    """Refuses parameters that are not keys of a training, if the sweep's command is one."""
    from gesturehand.cli.keys.check import check_line

    parameters, command = content.get("parameters"), content.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    if "fit" in words and isinstance(parameters, dict):
        own = [word for word in words[words.index("fit") + 1 :] if "${" not in word]
        if not all(Path(word.partition("=")[2]).is_file() for word in own if word.startswith("--config=")):
            return  # the command itself reports this
        # The values are for the sweep to choose.
        check_line("fit", [*own, *(f"--{name}=${{value}}" for name in parameters)])


def _with_wandb(file: str, trials: int | None, project: str) -> None:
    """Registers the sweep and runs an agent here; more agents on more machines join with the printed command."""
    import wandb

    from gesturehand.sweeps.sweep_file import read_sweep_content

    content = read_sweep_content(Path(file))
    # The agent starts `gesturehand`, which must be that of this installation.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    project = content.get("project", project)
    identity = wandb.sweep(content, project=project)
    say(f"More agents: wandb agent --project {project} {identity}")
    wandb.agent(identity, project=project, count=trials)
