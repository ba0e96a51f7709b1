"""`manage.py apitoken NAME --role ROLE`: an account for a program, and its token on standard output."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from foundation.accounts.models import Role, User
from foundation.accounts.services import create_user, grant_role, issue_token


class Command(BaseCommand):
    help = "Print a new API token for NAME, making the account if there is none. Prints the token alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--role", choices=Role.values, default=Role.SERVICE.value)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["name"]).first()
        if user is None:
            user = create_user(username=options["name"], password=None, roles=[options["role"]])
        else:
            grant_role(user=user, role=options["role"])
        self.stdout.write(issue_token(user=user))
