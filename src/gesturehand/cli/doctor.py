"""``gesturehand doctor``: the installation, the machine's capabilities, and problems."""

import json as json_module
import sys

from rich.console import Console
from rich.text import Text

from gesturehand.cli.console import say
from gesturehand.doctor.finding import State

_STYLES: dict[State, str] = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(
    root: str = "data/openhand",
    runs: str = "runs",
    mano: str | None = None,
    cluster: str | None = None,
    network: bool = True,
    json: bool = False,
) -> None:
    """Reports versions, devices, storage, network and extras, and what is wrong with them.

    Its output can be pasted into an issue: home folders, names of people and machines, and keys are left out. It exits
    with 1 if there is a problem, and works even if PyTorch does not.

    Args:
        root: The dataset's folder, whose file system is measured; a temporary file is written to it.
        runs: Folder of all runs.
        mano: MANO's folder or file; if not given, only the open hand is examined.
        cluster: Address of a cluster's scheduler, as tcp://10.0.0.1:8786.
        network: Check whether W&B, the model hub and the scheduler answer.
        json: Print JSON instead of text.
    """
    from gesturehand.doctor.network import address_of
    from gesturehand.doctor.report import WIDTH, examine, report_json, report_lines, worst

    if cluster is not None:
        address_of(cluster)
    settings = {"runs": runs, "mano": mano, "cluster": cluster, "network": network}
    aside = Console(stderr=True)
    with aside.status("") as status:
        found = examine(root, **settings, begins=lambda subject: status.update(f"examining {subject} …"))  # type: ignore[arg-type]
    if json:
        say(json_module.dumps(report_json(found), indent=2, ensure_ascii=False))
    else:
        console = Console()
        width = console.width if sys.stdout.isatty() else WIDTH
        for state, line in report_lines(found, width):
            text = Text(line)
            if state is not None:
                text.stylize(_STYLES[state], 2, 11)
            elif line and not line.startswith(" "):
                text.stylize("bold")
            console.print(text, soft_wrap=True)
    if worst(found) == "problem":
        raise SystemExit(1)
