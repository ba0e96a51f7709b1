"""The database itself refuses to change or remove what was recorded."""

from django.db import migrations

from foundation.databases import drop_append_only, make_append_only

TABLES = ("audit_auditevent", "audit_auditseal")


def install(apps, editor):
    for table in TABLES:
        make_append_only(editor, table)


def remove(apps, editor):
    for table in TABLES:
        drop_append_only(editor, table)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
