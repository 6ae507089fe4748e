"""Reading what published sets consist of, with errors that name the file and the remedy."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from gesturehand.camera import project
from gesturehand.errors import UserError
from gesturehand.text_file import read_text
from gesturehand.yaml_text import read_yaml


def read_json_array(path: Path, entry: tuple[int, ...], title: str) -> np.ndarray:
    """A JSON list of arrays of one shape.

    Args:
        path: The file.
        entry: Shape of an entry; lists of length 1 around or within it do not matter.
        title: Of the set, for messages.

    Returns:
        (N, …) float32, … the shape of an entry.

    Raises:
        UserError: It is missing, cut short or something else.
    """
    wanted = " x ".join(map(str, entry))
    try:
        content = msgspec.json.decode(path.read_bytes(), type=list)
        array = np.array(content, np.float32)
        # An empty list has no entries of a wrong shape.
        return array.reshape(len(content), *entry)
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing: complete the download of {title}.") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}): check it and its permissions.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"'{path}' is not valid JSON ({error}): download it again.") from None
    except (ValueError, TypeError, OverflowError):
        raise UserError(f"'{path}' is no list of {wanted} numbers an entry: download {title}'s again.") from None


def read_yaml_file(path: Path, keys: Sequence[str], title: str) -> dict[str, Any]:
    """A YAML file that is a mapping with these keys.

    Raises:
        UserError: It is missing, no YAML, or lacks a key.
    """
    try:
        content = read_yaml(read_text(path), f"'{path}'")
    except FileNotFoundError:
        raise UserError(f"'{path}' is missing: complete the download of {title}.") from None
    except OSError as error:
        raise UserError(f"'{path}' cannot be read ({error.strerror}): check it and its permissions.") from None
    except (yaml.YAMLError, ValueError):
        raise UserError(f"'{path}' is not valid YAML: download it again.") from None
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise UserError(f"'{path}' lacks {', '.join(missing)}, so it is not {title}'s: download it again.")
    return dict(content)


def boxes_of_joints(joints: np.ndarray, valid: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Tight boxes around projected joints.

    Args:
        joints: (N, 21, 3) m, camera frame, x right, y down, z forward.
        valid: (N, 21) bool.
        intrinsics: (N, 3, 3) px.

    Returns:
        (N, 4) float32 x, y, w, h px; NaN for a hand without a valid joint in front of the camera.
    """
    seen = valid & (joints[..., 2] > 0)
    points = project(np.where(seen[..., None], joints, 1.0), intrinsics)
    low = np.where(seen[..., None], points, np.inf).min(1)
    high = np.where(seen[..., None], points, -np.inf).max(1)
    some = np.asarray(seen.any(1))[:, None]
    low, high = np.where(some, low, np.nan), np.where(some, high, np.nan)
    return np.concatenate([low, high - low], -1).astype(np.float32)
