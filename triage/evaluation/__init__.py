"""Proof of quality: a model on a labelled folder of DICOM studies, by the path that production takes."""
