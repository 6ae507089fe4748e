"""A job of SLURM that is put back into its queue."""

import os
import subprocess

from pytorch_lightning.utilities import rank_zero_info, rank_zero_only, rank_zero_warn


@rank_zero_only
def requeue() -> None:
    """Asks SLURM to start this job again; by the first process."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    job = os.environ["SLURM_JOB_ID"] if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    try:
        subprocess.run(["scontrol", "requeue", job], check=True, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip()
        rank_zero_warn(f"SLURM does not put job {job} back into its queue ({said}): submit it again.")
    else:
        rank_zero_info(f"Job {job} is back in SLURM's queue.")
