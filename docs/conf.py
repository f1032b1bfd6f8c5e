"""The documentation site: ``make docs`` builds it into ``build/docs``, and warnings are errors."""

import sys
import warnings
from pathlib import Path

from sphinx.application import Sphinx

import beaker_mongo_soajs

sys.path.insert(0, str(Path(__file__).parent))
from messages import MARK, render
from option_tables import insert_tables

# Pyramid 2.1 imports pkg_resources, which warns about itself.
warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)

project = "beaker_mongo_soajs"
author = "beaker_mongo_soajs contributors"
release = version = beaker_mongo_soajs.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}

# Messages are listed as they are printed, so that a search finds them.
smartquotes = False

# Links to headings, as in a Markdown viewer.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Public names in docstrings must exist. Other libraries and internal modules have no pages here.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!beaker_mongo_soajs\.).*"),
    (
        "py:.*",
        r"beaker_mongo_soajs\.(?!django\.\w+$|health\.|metrics\.|otel\.|prometheus\.|pyramid\.|testing\.)\w+\.\w.*",
    ),
]
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"beaker_mongo_soajs {release}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
# The prompts of a console are not part of a command.
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True


def _insert_tables(_app: Sphinx, page: str, source: list[str]) -> None:
    if page == "troubleshooting":
        source[0] = source[0].replace(MARK, render())
    elif page == "options":
        source[0] = insert_tables(source[0])


def setup(app: Sphinx) -> None:
    """Fill the tables of *Troubleshooting* and *Options* from the source of the package."""
    app.connect("source-read", _insert_tables)
