"""Engines: what turns an HLS project into hardware figures."""
