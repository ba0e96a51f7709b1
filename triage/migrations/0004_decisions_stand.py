"""Decisions about models say why, and the database refuses to change or remove them."""

from django.conf import settings
from django.db import migrations, models

from foundation.databases import drop_append_only, make_append_only

TABLE = 'triage_modeldecision'


def install(apps, editor):
    make_append_only(editor, TABLE)


def remove(apps, editor):
    drop_append_only(editor, TABLE)


class Migration(migrations.Migration):

    dependencies = [
        ('triage', '0003_what_models_are_and_say'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name='modeldecision',
            name='reason',
            field=models.CharField(max_length=500),
        ),
        migrations.AddConstraint(
            model_name='modeldecision',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='triage_decision_says_why'),
        ),
        migrations.RunPython(install, remove),
    ]
