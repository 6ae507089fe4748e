"""W&B's server: its address, whether somebody is logged in to it, and whether it answers; W&B is not imported."""

import netrc
import os
import threading
import urllib.error
import urllib.request
from typing import Final
from urllib.parse import urlparse

#: The server on which W&B keeps runs unless ``WANDB_BASE_URL`` says otherwise.
PUBLIC_SERVER: Final = "https://api.wandb.ai"
#: Seconds that a server has to answer.
_PATIENCE_S: Final = 4.0


def wandb_server() -> str:
    """The address of W&B's server."""
    return os.environ.get("WANDB_BASE_URL") or PUBLIC_SERVER


def logged_in_to_wandb() -> bool:
    """Whether there is a key for W&B's server, in the environment or in the file that ``wandb login`` writes."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        host = urlparse(wandb_server()).hostname
        return host is not None and netrc.netrc().authenticators(host) is not None
    except (OSError, ValueError, netrc.NetrcParseError):
        return False


def answers(url: str) -> bool:
    """Whether a server answers within seconds, through the proxy that the environment names; a server error is none."""
    found: list[bool] = []
    # Looking up a name has no time limit, so it runs in a separate thread, which is left behind if need be.
    asking = threading.Thread(target=lambda: found.append(_asked(url)), daemon=True)
    asking.start()
    asking.join(_PATIENCE_S)
    return found == [True]


def _asked(url: str) -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PATIENCE_S):
            return True
    except urllib.error.HTTPError as error:
        return error.code < 500
    except Exception:  # whatever is wrong with the address, the network or its certificates
        return False
