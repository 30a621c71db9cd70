"""How Sphinx builds the site: ``make docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

project = "Peerloom"
author = "The Peerloom authors"
version = release = version_of("peerloom")

extensions = ["myst_parser", "docs._reference"]
exclude_patterns = ["_*"]
myst_enable_extensions = ["deflist", "attrs_inline"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"Peerloom {release}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"sidebar_hide_name": False}
