"""The parser of the training commands, which imports Lightning and so is kept apart from the other commands' parser."""

from typing import NoReturn

from pytorch_lightning.cli import LightningArgumentParser

from gesturehand.cli.parser import refuse


class TrainingParser(LightningArgumentParser):
    """Lightning's parser, with short messages."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Says what is wrong and ends the process with status 2."""
        refuse(message)
