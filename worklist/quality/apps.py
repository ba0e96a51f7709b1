from django.apps import AppConfig


class QualityConfig(AppConfig):
    name = "worklist.quality"
    label = "quality"
    verbose_name = "Quality"
