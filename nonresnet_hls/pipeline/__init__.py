"""The wiring: each stage from its recipe and the artefacts before it to its own artefact; runner and workspace."""
