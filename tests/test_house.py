"""Who may name what, besides what `lint-imports` holds."""

import ast
from pathlib import Path

import nonresnet_hls

PACKAGE = Path(nonresnet_hls.__file__).parent
WIRING = {"pipeline", "cli", "api"}


def test_workspace_and_artefact_are_named_by_the_wiring_alone() -> None:
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] in WIRING:
            continue
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
        assert not (names | attributes) & {"Workspace", "Artefact"}, path


def test_every_library_and_stage_says_what_it_is() -> None:
    for path in PACKAGE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path
