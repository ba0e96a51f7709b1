"""Starting, watching and showing the house: the supervisor behind `manage.py up`, health, pages, demo."""
