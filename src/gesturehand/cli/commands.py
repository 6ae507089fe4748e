"""The commands, one per line; everything that lists, explains, completes or runs commands reads them here.

A command is a function that has the command's name, in the module named after the command or its group. Its signature
and docstring define its options and their help, together with those of the class to which it passes its ``**settings``.
They are read from the source, so that help imports nothing.
"""

import builtins
from keyword import iskeyword
from typing import Final, NamedTuple

#: Commands of training: keys of the experiment's YAML, by Lightning's command line.
TRAINING: Final = {
    "fit": "train a stage: --config experiments/….yaml",
    "validate": "evaluate a run on the validation split",
    "test": "evaluate a run on the test split: --run runs/…/<time>",
}
#: Commands outside groups.
COMMANDS: Final = {
    "evaluate": "score saved predictions without a model: --predictions P.npz --data FOLDER",
    "predict": "run a trained network on images, folders or videos: predict IMAGE --output FOLDER",
    "app": "serve a page in the browser that predicts hands in photos, camera pictures and short videos",
    "export": "write a trained network as an ONNX or PyTorch program: --format onnx --out model.onnx",
    "sweep": "search settings: --file experiments/sweeps/….yaml",
    "ablation": "the paper's comparison, with tables and pictures: --size quick",
    "experiments": "list the experiments that come with the package",
    "init": "copy experiments, notebooks and a Makefile to start from: init FOLDER",
    "doctor": "report versions, devices, storage and network, and what is wrong, for an issue",
    "completion": "print a shell script that completes commands and keys: completion bash",
}
GROUPS: Final = {
    "data": {
        "synth": "write the open synthetic set",
        "synth_photo": "write the photo-like open set",
        "show": "draw annotations over crops",
        "gallery": "draw the gesture poses",
        "samples": "draw whole frames side by side",
        "stats": "count a set's contents, and measure the mean pose and a gesture oracle",
        "import": "make a set from your own images and joints",
        "index": "build the memory-mapped index of annotation files",
        "check": "list what is wrong in a dataset",
        "pack": "pack a split's images into a few large files, for network file systems and buckets",
    },
    "hand": {"info": "show a hand model", "convert": "turn a MANO pickle into .npz"},
    "submission": {
        "write": "write the archive for FreiHAND's or HO-3D's server",
        "check": "check such an archive before it is uploaded",
        "score": "score one as the server does, if the annotations exist",
    },
    "run": {
        "list": "list the runs: stage, backbone, best metric, whether it has finished",
        "show": "show what a run trained and its results: run show RUN",
        "compare": "compare runs: settings that differ, metrics, curves: run compare RUN RUN …",
        "summary": "compare a tested run with its baselines",
        "latest": "print the newest finished run",
    },
}


class Positional(NamedTuple):
    """An argument of a command that is given without a ``--name``.

    Attributes:
        name: The function's argument.
        number: ``+`` for one or more; None for one.
        shown: Its form in the help.
        text: Its help.
    """

    name: str
    number: str | None
    shown: str
    text: str


#: Commands that take words without a --name.
POSITIONAL: Final = {
    "predict": Positional("inputs", "+", "IMAGE|FOLDER|VIDEO", "Images, folders, videos, cameras."),
    "init": Positional("folder", None, "FOLDER", "The folder, which is created if it does not exist."),
    "run show": Positional("run", None, "RUN", "Folder of the run, the name of one as `run list` has it, or latest."),
    "run compare": Positional("names", "+", "RUN", "Folders of runs, their names as `run list` has them, or latest."),
    "completion": Positional("shell", None, "SHELL", "bash or zsh."),
}


def all_commands() -> dict[str, str]:
    """Every command, in two words if it is like ``data synth``, and its line."""
    rows = {**TRAINING, **COMMANDS}
    return rows | {f"{group} {name}": text for group, names in GROUPS.items() for name, text in names.items()}


def function_of(command: str) -> str:
    """The dotted name of a command's function.

    Args:
        command: As in :func:`all_commands`, but not one of training.
    """
    group, _, name = command.rpartition(" ")
    # A function cannot be called `import`, and should not be called `list`.
    taken = iskeyword(name) or hasattr(builtins, name)
    return f"gesturehand.cli.{group or name}.{name}{'_' if taken else ''}"


def split_command(words: list[str]) -> tuple[str, list[str]]:
    """The command that a command line begins with, one word or two, and the words after it.

    Args:
        words: The command line without the program's name; not empty.
    """
    number = 2 if words[0] in GROUPS and len(words) > 1 and words[1] in GROUPS[words[0]] else 1
    return " ".join(words[:number]), words[number:]
