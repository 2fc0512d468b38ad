"""`python -m benchmarks.publish`: what the last runs measured becomes the table and the plots of docs/performance.md.

Figures go by name: of a benchmark that wasn't run, those of its last run stay, with their day.
"""

import datetime
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import BUILD

ROOT = BUILD.parent
PUBLISHED = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
PLOTS = ROOT / "docs" / "plots"
ENVIRONMENT = BUILD / "venv-plots"
_TABLE = re.compile(r"(?<=<!-- figures -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def main() -> None:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8")) if PUBLISHED.exists() else {}
    measured = {"measured_on": datetime.datetime.now(datetime.UTC).date().isoformat(), "cores": os.cpu_count()}
    figures = {figure["name"]: figure for figure in published.get("figures", [])}
    curves = {curve["name"]: curve for curve in published.get("curves", [])}
    for path in sorted((BUILD / "bench").glob("*.json")):
        found = {row["name"]: row | measured for row in json.loads(path.read_text(encoding="utf-8"))}
        if path.name.endswith(".curves.json"):
            curves |= found
        else:
            figures |= found
    everything = {"figures": list(figures.values()), "curves": list(curves.values())}
    PUBLISHED.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8"), everything["figures"]), encoding="utf-8")
    PLOTS.mkdir(exist_ok=True)
    subprocess.run(
        [ROOT / "requirements" / "environment", "plots"], check=True, env=os.environ | {"VENV": str(ENVIRONMENT)}
    )
    drawing = Path(__file__).parent / "drawing" / "with_matplotlib.py"
    subprocess.run([ENVIRONMENT / "bin" / "python", drawing, PUBLISHED, PLOTS], check=True)


def with_table(page: str, figures: Sequence[Mapping[str, Any]]) -> str:
    """The page with these figures between its two marks."""
    rows = ["| what | ratio | low to high | wanted | measured on |", "| --- | --- | --- | --- | --- |"]
    for figure in figures:
        verdict = "" if figure["holds"] else ", **doesn't hold**"
        spread = f"{figure['low']:.2f} to {figure['high']:.2f}"
        day = datetime.date.fromisoformat(figure["measured_on"])
        rows.append(
            f"| {figure['name']} | {figure['ratio']:.2f} | {spread} | {figure['wanted']}{verdict} "
            f"| {day.day} {day:%b %Y}, {figure['cores']} cores |"
        )
    return _TABLE.sub(lambda _: "\n".join(rows) + "\n", page)


if __name__ == "__main__":
    main()
