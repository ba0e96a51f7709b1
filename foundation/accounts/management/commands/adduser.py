"""`manage.py adduser NAME --role ROLE`: a person's account, and its one-time password on standard output."""

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from foundation.accounts.models import Role, User
from foundation.accounts.services import create_user


class Command(BaseCommand):
    help = "Make an account for a person and print its one-time password alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=Role.values, action="append", required=True)
        parser.add_argument("--display-name", default="")
        parser.add_argument("--department", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(username=options["name"]).exists():
            raise CommandError(f"There is a user {options['name']} already. Choose another name.")
        password = secrets.token_urlsafe(12)
        create_user(
            username=options["name"],
            password=password,
            roles=options["role"],
            display_name=options["display_name"],
            department=options["department"],
            is_staff=Role.PACS_ADMINISTRATOR in options["role"],
        )
        self.stdout.write(password)
