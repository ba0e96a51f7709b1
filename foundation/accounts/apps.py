from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "foundation.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        from foundation.accounts import signals

        signals.connect()
