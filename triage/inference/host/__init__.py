"""Bundles run in a process of their own that can reach nothing (docs/adr/0013-model-host.md)."""
