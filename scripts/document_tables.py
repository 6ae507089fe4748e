"""Writes a command's results into a document, between the document's markers.

    python scripts/document_tables.py summary docs/results/demo.json docs/five_minutes.md
    python scripts/document_tables.py statistics docs/results/openhand.json docs/openhand.md
    python scripts/document_tables.py ablation runs/ablation-quick/results.json docs/ablation.md

The first file is the output of ``gesturehand run summary --out``, ``data stats --out`` or ``ablation``. The pictures
and the JSON of an ablation go to ``images/`` and ``results/`` beside the document.
"""

import argparse
from pathlib import Path

from gesturehand.ablation.grid import Size, make_grid
from gesturehand.ablation.report import write_documents
from gesturehand.evaluation.set_statistics import statistics_markdown
from gesturehand.evaluation.summary import summary_markdown
from gesturehand.markdown import write_between_markers
from gesturehand.text_file import read_json

TABLES = {"summary": summary_markdown, "statistics": statistics_markdown}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=[*TABLES, "ablation"])
    parser.add_argument("results", type=Path, help="JSON file")
    parser.add_argument("document", type=Path, help="Markdown file with markers")
    arguments = parser.parse_args()
    content = read_json(arguments.results, "The results", "run the command that writes it first")
    if arguments.kind == "ablation":
        write_documents(
            arguments.document.parent, arguments.results.parent, make_grid(Size(**content["size"])), content
        )
        return
    command = f"python scripts/document_tables.py {arguments.kind} {arguments.results} {arguments.document}"
    source = f"<!-- written by `{command}` -->\n"
    write_between_markers(arguments.document, source + TABLES[arguments.kind](content))


if __name__ == "__main__":
    main()
