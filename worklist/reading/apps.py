from django.apps import AppConfig


class ReadingConfig(AppConfig):
    name = "worklist.reading"
    label = "reading"
    verbose_name = "Reading modes"

    def ready(self) -> None:
        from pacs.selectors import withhold
        from worklist.reading.selectors import withheld_series

        withhold(withheld_series)
