"""What every self-contained page is made with: its template, its style."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from coview.errors import CoviewError

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def page_template(path: Path, *, figures: bool = True) -> Template:
    """A page's template, which may include what lies beside it and beside this module.

    Args:
        path: The template.
        figures: Whether the page has any that matplotlib draws.

    Raises:
        CoviewError: If jinja2 is missing, or matplotlib where there are figures.
    """
    try:
        import jinja2  # noqa: F401 - of the extra "report": whether it is there

        if figures:
            import matplotlib  # noqa: F401 - whether it is there
    except ImportError as error:
        raise CoviewError(
            f"the report needs {error.name}, which is not installed", hint="pip install 'coview[report]'"
        ) from error
    return _environment(path.parent).get_template(path.name)


@cache  # it keeps the templates that it has compiled
def _environment(folder: Path) -> Environment:
    import jinja2  # of the extra "report"

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
