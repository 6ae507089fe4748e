"""The steps before PyTorch is imported: ``--run`` is replaced with the config and checkpoint that it stands for, and
numbers out of range, contradictory settings and missing files are refused.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gesturehand.cli.keys.check import all_given, check_paths, in_full, model_of
from gesturehand.cli.keys.given import read_line
from gesturehand.cli.keys.known import DATA, model_classes
from gesturehand.cli.keys.signature import REQUIRED, signature_of
from gesturehand.data.files import check_root, is_url
from gesturehand.errors import UserError
from gesturehand.runs import CONFIG_FILE, best_checkpoint, newest_run
from gesturehand.settings import check_data_settings, check_model_settings
from gesturehand.suggestions import did_you_mean_path, nearest, nearest_path

#: NumPy's and PyTorch's seeds are smaller than this.
SEEDS: Final = 2**32
#: Words that stand for a gesture pretraining.
_NO_FILES: Final = ("auto", "none")


def check_training(command: str, words: Sequence[str]) -> None:
    """Refuses settings with which a training would fail later.

    Args:
        command: ``fit``, ``validate`` or ``test``.
        words: The words after it, with ``--run`` replaced.

    Raises:
        UserError: A number is out of its range, settings do not fit, or a file is missing; the message names the key.
    """
    line = read_line(words)
    if any(option.path == "print_config" or option.path.endswith(".help") for option in line.options):
        return
    given = all_given(line)
    values = {in_full(command, each.path): each.value for each in given}
    check_seed(values.get("seed_everything", 0))
    data = _settings(DATA, "data.", values)
    check_data_settings(data)
    model = model_of(given)
    if model in model_classes().values():
        check_model_settings(_settings(str(model), "model.init_args.", values))
    check_paths(command, words)
    root = data.get("root")
    if isinstance(root, str) and not is_url(root) and not Path(root).is_dir() and nearest_path(root) is not None:
        check_root(Path(root))  # a misspelling; missing data is reported when the configuration is read
    _check_pretraining(values.get("model.init_args.pretrained"))


def check_root_exists(root: str) -> None:
    """Refuses a data folder that does not exist; its content, or that of a URL, is left to its reader.

    Raises:
        UserError: It does not exist.
    """
    if not is_url(root) and not Path(root).is_dir():
        check_root(Path(root))


def check_seed(seed: Any) -> None:
    """Refuses a seed that NumPy or PyTorch does not take.

    Raises:
        UserError: It is out of their range.
    """
    if isinstance(seed, int) and not 0 <= seed < SEEDS:
        raise UserError(f"seed_everything is {seed}: give a whole number from 0 to {SEEDS - 1}.")


def _settings(name: str, prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a class: those given, with other keys put in for ``${…}``, and the defaults."""
    signature = signature_of(name)
    settings = {}
    for parameter in signature.parameters if signature else ():
        value = values.get(f"{prefix}{parameter.name}", parameter.default)
        if isinstance(value, str) and (reference := re.fullmatch(r"\$\{([\w.]+)\}", value)):
            value = values.get(reference[1], value)
        if value is not REQUIRED and not (isinstance(value, str) and "${" in value):
            settings[parameter.name] = value
    return settings


def _check_pretraining(path: Any) -> None:
    if isinstance(path, str) and path and path not in _NO_FILES and "${" not in path and not Path(path).is_file():
        remedy = "run `make pretrain`, or set model.pretrained to none."
        raise UserError(f"The gesture pretraining '{path}' does not exist: {did_you_mean_path(path, remedy)}")


def expand_run(words: list[str], tell: Callable[[str], object] = lambda _: None) -> list[str]:
    """Replaces ``--run FOLDER`` with its config and best checkpoint; later words override the config's.

    Args:
        words: The command line, the subcommand first.
        tell: Called with a sentence that says which run is the latest.

    Raises:
        UserError: There is no such run, or it has no config.
    """
    for place, word in enumerate(words):
        name, has_value, value = word.partition("=")
        if name != "--run":
            continue
        if not has_value and place + 1 == len(words):
            raise UserError("--run needs the folder of a run, or 'latest'.")
        value = value if has_value else words[place + 1]
        rest = words[1:place] + words[place + (1 if has_value else 2) :]
        run = Path(value)
        if value == "latest":
            run = newest_run("runs")
            tell(f"Run: {run}")
        config = run / CONFIG_FILE
        if not config.is_file():
            remedy = "give the folder of a run under runs/."
            near = "latest" if nearest(value, ["latest"]) else ""
            meant = f"did you mean '{near}'?" if near else remedy if run.is_dir() else did_you_mean_path(run, remedy)
            raise UserError(f"The run '{run}' has no {CONFIG_FILE}: {meant}")
        # Its results are kept inside the run's own folder.
        location = [f"--runs={run.parent}", f"--name={run.name}"]
        return [words[0], f"--config={config}", f"--ckpt_path={best_checkpoint(run)}", *location, *rest]
    return words
