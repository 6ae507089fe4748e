"""Network: W&B, the hub that weights come from, and a cluster's scheduler. It reveals neither names nor keys."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

from gesturehand.doctor.finding import Finding
from gesturehand.errors import UserError, brief
from gesturehand.wandb_server import PUBLIC_SERVER, answers, logged_in_to_wandb, wandb_server

_HUB: Final = "https://huggingface.co"
_PATIENCE_S: Final = 4.0
_SCHEMES: Final = ("tcp", "tls")
_TRUE: Final = ("1", "on", "yes", "true")


def network(cluster: str | None = None) -> Iterator[Finding]:
    """Findings on the servers that can be reached.

    Args:
        cluster: The address of a cluster's scheduler, ``tcp://host:port``; None if there is none.
    """
    proxies = sorted({name.upper() for name in os.environ if name.lower() in ("http_proxy", "https_proxy")})
    yield Finding("proxy", f"by {', '.join(proxies)}" if proxies else "none is set")
    hub = os.environ.get("HF_ENDPOINT") or _HUB
    with ThreadPoolExecutor() as pool:
        reached = {url: pool.submit(answers, url) for url in (wandb_server(), hub)}
        yield from _wandb(reached[wandb_server()].result())
        yield _model_hub(hub, reached[hub].result())
    if cluster is not None:
        yield _scheduler(cluster)


def _wandb(reachable: bool) -> Iterator[Finding]:
    mode, logged_in = os.environ.get("WANDB_MODE"), logged_in_to_wandb()
    where = "its public server" if wandb_server() == PUBLIC_SERVER else "the server that WANDB_BASE_URL names"
    value = f"{where} {'answers' if reachable else 'does not answer'}"
    wanted = logged_in and mode in (None, "online", "shared")
    if wanted and not reachable:
        yield Finding("W&B", value, "warning", "runs are logged offline: `wandb sync` uploads them later")
    else:
        yield Finding("W&B", value)
    said = f"somebody is logged in{'' if mode is None else f', WANDB_MODE={mode}'}"
    if not logged_in:
        said = f"nobody is logged in{'' if mode is None else f', WANDB_MODE={mode}'}"
    if mode == "online" and not logged_in:
        yield Finding("W&B login", said, "problem", "`wandb login`, or unset WANDB_MODE to log offline")
    else:
        online = wanted and reachable
        yield Finding("W&B login", f"{said}: runs are logged {'online' if online else 'offline'}")


def _model_hub(url: str, reachable: bool) -> Finding:
    name = "model hub"
    if any(os.environ.get(variable, "").lower() in _TRUE for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")):
        return Finding(name, "not asked: HF_HUB_OFFLINE is set")
    where = "huggingface.co" if url == _HUB else "the hub that HF_ENDPOINT names"
    if reachable:
        return Finding(name, f"{where} answers")
    remedy = "ImageNet weights (imagenet_weights, the paper's experiments) need it once; what is shipped does not"
    return Finding(name, f"{where} does not answer", "warning", remedy)


def address_of(cluster: str) -> tuple[str, int]:
    """Host and port of a scheduler.

    Raises:
        UserError: It is not an address such as ``tcp://10.0.0.1:8786``.
    """
    try:
        parts = urlsplit(cluster)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme not in _SCHEMES:
        raise UserError(f"--cluster is '{cluster}': give the scheduler's address, such as tcp://10.0.0.1:8786.")
    return host, port


def _scheduler(cluster: str) -> Finding:
    host, port = address_of(cluster)
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S):
            return Finding("scheduler", f"port {port} takes connections")
    except OSError as error:
        remedy = "start the scheduler, or check its address and the firewall"
        return Finding("scheduler", f"port {port} cannot be reached: {brief(error)}", "problem", remedy)
