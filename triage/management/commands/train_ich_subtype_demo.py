"""Train, calibrate and measure the hemorrhage subtype demonstration, models/ich_subtype_demo."""

from __future__ import annotations

from triage.inference.training.demo_command import TrainDemo
from triage.inference.training.demos import head_studies, train_subtypes


class Command(TrainDemo):
    help = (
        "Trains the hemorrhage subtype demonstration on synthetic images, calibrates it, measures it on held-out DICOM "
        "studies and writes its model card. With --evaluate it takes the weights that are there."
    )
    bundle = "ich_subtype_demo"
    amount = ("heads", 220)
    epochs = 9
    calibrate_studies = 80
    test_studies = 120
    train = staticmethod(train_subtypes)
    studies = staticmethod(head_studies)
