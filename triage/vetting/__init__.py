"""The static check of a bundle: what its files may name, call and hold, told without running any of them.

An allow-list and no sandbox: a bundle that passes is still code that an administrator answers for, and it
runs in a process without network (docs/adr/0012-model-registry.md).
"""
