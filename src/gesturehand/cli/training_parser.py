"""The parser of the training commands, which imports Lightning and so is kept apart from the other commands' parser."""

from typing import NoReturn

from pytorch_lightning.cli import LightningArgumentParser

from gesturehand.cli.parser import refuse


class TrainingParser(LightningArgumentParser):
    """Lightning's."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """As of :class:`~gesturehand.cli.parser.CommandParser`."""
        refuse(message)
