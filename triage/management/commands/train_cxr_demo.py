"""Train, calibrate and measure the chest radiograph demonstration, models/cxr_demo."""

from __future__ import annotations

from triage.inference.training.demo_command import TrainDemo
from triage.inference.training.demos import chest_studies, train_cxr


class Command(TrainDemo):
    help = (
        "Trains the chest radiograph demonstration on synthetic images, calibrates it, measures it on held-out DICOM "
        "studies and writes its model card. With --evaluate it takes the weights that are there."
    )
    bundle = "cxr_demo"
    amount = ("images", 900)
    epochs = 6
    calibrate_studies = 120
    test_studies = 160
    train = staticmethod(train_cxr)
    studies = staticmethod(chest_studies)
