"""Settings of the documentation's site, which `make site` builds from the repository's root.

The root is the source folder, so that a relative link between a page, a notebook, a table of results and a source file
is the same on GitHub and on the site.
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from api_pages import keep_first_colon, skip_member, write_api_pages
from sphinx.application import Sphinx

project = "GestureHand"
author = "GestureHand contributors"
copyright = "GestureHand contributors, MIT licence"
release = version = version_of("gesturehand")

root_doc = "docs/index"
include_patterns = ["docs/**", "notebooks/*.ipynb", "LICENSES/*.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
# Not searched for pages: everything else in a working copy.
exclude_patterns = ["**/.*", "build", "data", "dist", "runs", "src", "tests", "wandb"]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]

# Headings can be linked to as on GitHub.
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
# Notebooks are kept executed (`make notebooks`): a build must not depend on a trained network.
nb_execution_mode = "off"

# Google's style; attributes are listed in the class's description, with their shapes and units.
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
autodoc_default_options = {"members": True, "undoc-members": True, "ignore-module-all": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 88

# A name of this package that leads nowhere fails the build. Other libraries' names are not looked up, nor are names of
# types in annotations, which have no separate entries.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!gesturehand\.).*"),
    ("py:class", r"gesturehand\..*\.(Array|Entry|Item|M|Sums|T)"),
]

# Commands and output without a language are text.
highlight_language = "text"

html_theme = "furo"
html_title = f"GestureHand {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_extra_path = ["_root"]  # index.html, which leads from the site's root to its first page
html_copy_source = False
html_show_sourcelink = False
copybutton_prompt_text = "$ "


def leave_out_pages_to_come(app: Sphinx, page: str, source: list[str]) -> None:
    """Takes patterns such as `ap[p]`, which stand for pages that may not be written yet, out of the contents."""
    if page == root_doc:
        folder = Path(app.confdir)
        lines = source[0].splitlines()
        source[0] = "\n".join(
            line for line in lines if "[" not in line or " " in line or any(folder.glob(f"{line}.md"))
        )


def setup(app: Sphinx) -> None:
    app.connect("source-read", leave_out_pages_to_come)
    app.connect("builder-inited", lambda app: write_api_pages(Path(app.srcdir), Path(app.confdir) / "api"))
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", keep_first_colon, priority=400)  # before napoleon
