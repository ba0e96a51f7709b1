"""Procedural head CTs: anatomy, bleeds and whole DICOM studies, for demonstration, tests and training.

Needs numpy, scipy and pydicom only. Nothing here comes from a patient.
"""
