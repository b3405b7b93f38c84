"""Calls gnuplot, one process a figure. It needs no display."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from pathlib import Path
from typing import Optional

from suite import servers

from bench.figures import Figure
from bench.results import BadResults

PLOTS = servers.ROOT / "plots"
SCRIPT = "gnuplot_svg.js"  # what a mousing SVG loads from the directory js beside it
SECONDS = 60  # one figure takes less than one
# style.gp sets UTF-8. In a locale with another encoding, such as C, gnuplot then warns about a sign that no figure has.
HARMLESS = "warning: iconv failed to convert degree sign"


class BadFigure(Exception):
    """A figure that gnuplot could not draw: its name, and gnuplot's own words."""


def require() -> None:
    if shutil.which("gnuplot") is None:
        raise BadResults("gnuplot: not found; it draws the figures (Debian: gnuplot-nox)")


def quoted(value: object) -> str:
    """As gnuplot writes it. Double quotes, because the caption has line ends and single quotes know no escapes."""
    if isinstance(value, (int, float)):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'


def draw(figure: Figure, data: Path, settings: dict[str, object], plots: Path = PLOTS) -> str:
    """Runs the script of the figure on its columns with these further variables. Returns what it printed."""
    variables: dict[str, object] = {"data": data.resolve(), **figure.variables(), **settings}
    assignments = "; ".join(f"{key} = {quoted(value)}" for key, value in variables.items())
    script = f"plots/{figure.kind.script}.gp"
    command = ["gnuplot", "-e", assignments, script]
    try:
        done = subprocess.run(
            command, cwd=plots.parent, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise BadFigure(f"{figure.name}: gnuplot did not end within {SECONDS} s ({script})") from None
    said = " ".join(line for line in done.stderr.splitlines() if line and HARMLESS not in line)[:300]
    if done.returncode != 0:
        raise BadFigure(f"{figure.name}: gnuplot ended with {done.returncode} ({script}): {said}")
    picture = settings.get("out")
    if said or (picture and not Path(str(picture)).exists()):
        raise BadFigure(f"{figure.name}: gnuplot drew no complete picture ({script}): {said}")
    return done.stdout


def mouse_script() -> Optional[Path]:
    """gnuplot's own file for SVG with mouse support. None if this gnuplot has none."""
    command = ["gnuplot", "-e", "show loadpath"]
    try:
        shown = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise BadResults(f"gnuplot did not end within {SECONDS} s ({' '.join(command)})") from None
    found = re.search(r"gnuplotrc is read from (.+)", shown.stdout + shown.stderr)
    roots = [Path(found.group(1).strip())] if found else []
    # Distributions put it beside the shared files of one version or of several.
    roots += sorted(Path(shutil.which("gnuplot") or "/").resolve().parents[1].glob("share/gnuplot/**/"))
    for root in roots:
        if (root / "js" / SCRIPT).is_file():
            return root / "js" / SCRIPT
    return None


def name_parts(picture: Path, title: str) -> None:
    """gnuplot names the parts of an SVG plot_1, plot_2 and so on, and browsers show these names as tooltips over the
    curves. This removes them and gives the picture a name of its own."""
    text = picture.read_text(encoding="utf-8")
    text = re.sub(r"<title>gnuplot_plot_\d+\w*</title>|<title> </title>", "", text)
    text = text.replace("<title>Gnuplot</title>", f"<title>{escape(title)}</title>", 1)
    text = _toggle_both(text)
    picture.write_text(re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE), encoding="utf-8")


def _toggle_both(text: str) -> str:
    """A click on a name in the key hides a curve. Of two panels it is the curve in the upper one, with an a at the end
    of its name; this hides the one below as well, which has a b."""

    def both(found: re.Match[str]) -> str:
        below = f"{found.group(1)}b"
        more = f"; gnuplot_svg.toggleVisibility(evt,'{below}')" if f'id="{below}"' in text else ""
        return found.group(0) + more

    return re.sub(r"gnuplot_svg\.toggleVisibility\(evt,'(gnuplot_plot_\d+)a'\)", both, text)
