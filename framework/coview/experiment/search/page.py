"""What a search has found as one self-contained page: pictures, texts, sounds to play."""

from __future__ import annotations

from pathlib import Path

from coview.data.atomic import write_atomically
from coview.errors import CoviewError
from coview.experiment.search.find import Found
from coview.pages.template import page_template


def write_page(found: Found, out: Path) -> Path:
    """Writes the page, and returns its path.

    Raises:
        CoviewError: If it cannot be written, or jinja2 is missing.
    """
    template = page_template(Path(__file__).parent / "search.html.j2", figures=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, template.render(found=found))
    except OSError as error:
        raise CoviewError(f"{out} cannot be written: {error.strerror or error}") from error
    return out
