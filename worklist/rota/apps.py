from django.apps import AppConfig


class RotaConfig(AppConfig):
    name = "worklist.rota"
    label = "rota"
    verbose_name = "Groups and on-call"
