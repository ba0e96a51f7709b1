#!/usr/bin/env python
"""Firstread's command line: `manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
    from django.core.management import execute_from_command_line

    if sys.argv[1:2] != ["up"]:
        execute_from_command_line(sys.argv)
        return
    from worklist.operations import launch

    try:
        with launch.begun(sys.argv[2:]):
            execute_from_command_line(sys.argv)
    except launch.CannotStart as error:
        sys.exit(f"Firstread cannot start. {error}")


if __name__ == "__main__":
    main()
