"""The site: `make docs` builds it of README, these pages, the docstrings, the recipes' schema and the parser."""

import hashlib
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent / "_ext")]

import nonresnet_hls  # noqa: E402  # of this clone, whatever else is installed

project = "nonresnet_hls"
author = "The authors of nonresnet_hls"
copyright = f"2026, {author}"
release = version = nonresnet_hls.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "one_source"]
exclude_patterns = ["_build", "_ext"]
nitpicky = True
# Names of other packages: there is no inventory of them at hand without the internet.
nitpick_ignore_regex = [("py:.*", r"(pathlib|collections|abc|enum|numpy|np|npt|pd|pandas|fractions|types)\..*")]
default_role = "code"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_class_signature = "separated"

myst_enable_extensions = ["deflist"]
smartquotes = False  # `--option` is two dashes
myst_heading_anchors = 3

# Every notebook runs anew where its text or the package has changed; one that fails ends the build.
nb_execution_mode = "cache"
_sources = hashlib.sha256()
for _path in sorted((ROOT / "nonresnet_hls").rglob("*")):
    if _path.is_file() and "__pycache__" not in _path.parts:
        _sources.update(f"{_path.relative_to(ROOT)}\0".encode() + _path.read_bytes())
nb_execution_cache_path = str(ROOT / "docs/_build/notebooks" / _sources.hexdigest()[:16])
nb_execution_in_temp = True
nb_execution_timeout = 1800  # seconds a cell: a busy machine takes ten times as long
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
# Notebooks import this clone's package, and TensorFlow says nothing.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

html_theme = "furo"
html_title = f"nonresnet_hls {release}"
html_theme_options = {"source_edit_link": "", "navigation_with_keys": False}
html_copy_source = False
html_show_sphinx = False
html_css_files = ["tables.css"]
html_static_path = ["_static"]
