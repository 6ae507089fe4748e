"""Writes the tables of ``docs/robustness.md`` from the JSON files of ``make faults`` and ``make fuzz``."""

import json
from collections import Counter
from pathlib import Path

from gesturehand.markdown import markdown_table, write_between_markers

DOCS = Path(__file__).resolve().parents[1] / "docs"


def main() -> None:
    text = "<!-- written by `python scripts/robustness_tables.py` -->\n"
    faults = _read("faults")
    if faults:
        each = {name: Counter(one["fault"] for one in stage["each"]) for name, stage in faults["stages"].items()}
        lived = {
            name: Counter(one["fault"] for one in stage["each"] if one["survived"] and stage["equal"])
            for name, stage in faults["stages"].items()
        }
        kinds = sorted({kind for counts in each.values() for kind in counts})
        rows = [["survived / tried", *each]]
        rows += [[kind, *(f"{lived[stage][kind]} / {each[stage][kind]}" for stage in each)] for kind in kinds]
        equal = ["yes" if stage["equal"] else "no" for stage in faults["stages"].values()]
        rows.append(["weights, optimiser, schedule, log equal bit for bit", *equal])
        text += markdown_table(rows) + "\n"
    fuzz = _read("fuzz")
    if fuzz:
        rows = [["mutated files", "tried", "loaded", "refused", "anything else"]]
        for kind, counts in fuzz["kinds"].items():
            loaded, refused = counts.get("loaded", 0), counts.get("refused", 0)
            other = counts["tried"] - loaded - refused
            rows.append([kind, f"{counts['tried']:,}", f"{loaded:,}", f"{refused:,}", str(other)])
        text += markdown_table(rows)
    write_between_markers(DOCS / "robustness.md", text)


def _read(name: str) -> dict | None:
    path = DOCS / "results" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


if __name__ == "__main__":
    main()
