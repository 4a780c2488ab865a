"""Run a notebook's cells without Jupyter: `python tests/notebook_runner.py notebooks/<name>.ipynb`.

It runs in the folder of a study's repository. A cell that ends in an expression shows it, as in Jupyter; the error of a
failing cell names the cell.
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def code_cells(notebook: Path) -> list[str]:
    """The source of every code cell."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def display(value: Any) -> str:
    """What is shown of a value: a picture as its number of bytes, anything else as text."""
    return f"picture of {len(value._repr_png_())} bytes" if hasattr(value, "_repr_png_") else str(value)


def execute(notebook: Path) -> list[str]:
    """Run all cells in one namespace and return what each one shows ("" for nothing). Raises what a cell raises."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for number, source in enumerate(code_cells(notebook), start=1):
        body = ast.parse(source).body
        last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
        name = f"{notebook.name}, code cell {number}"
        exec(compile(ast.Module(body, []), name, "exec"), namespace)  # noqa: S102 (the repository's own notebooks)
        value = eval(compile(last, name, "eval"), namespace) if last else None  # noqa: S307
        shown.append("" if value is None else display(value))
    return shown


if __name__ == "__main__":
    sys.stdout.write(f"\n{json.dumps(execute(Path(sys.argv[1])))}\n")
