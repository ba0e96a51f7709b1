"""Addresses of DICOMweb, included at /dicom-web/ (PS3.18 10.4, 10.5, 10.6)."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from pacs.dicomweb import bulkdata, metadata, previews, retrieve, search, store
from pacs.dicomweb.access import by_method


class UidConverter(StringConverter):
    """A UID: digits and points, at most 64 (PS3.5 9.1)."""

    regex = r"[0-9.]{1,64}"


class FramesConverter(StringConverter):
    """Frame numbers joined by commas."""

    regex = r"[0-9]{1,6}(?:,[0-9]{1,6})*"


class FrameConverter(StringConverter):
    """One frame number."""

    regex = r"[0-9]{1,6}"


class BulkConverter(StringConverter):
    """Tags, with item numbers between them."""

    regex = r"[0-9A-Fa-f]{8}(?:/[0-9]{1,6}/[0-9A-Fa-f]{8}){0,8}"


register_converter(UidConverter, "uid")
register_converter(FramesConverter, "frames")
register_converter(FrameConverter, "frame")
register_converter(BulkConverter, "bulk")

STUDY = "studies/<uid:study_uid>"
SERIES = f"{STUDY}/series/<uid:series_uid>"
INSTANCE = f"{SERIES}/instances/<uid:instance_uid>"

urlpatterns = [
    path("studies", by_method(GET=search.studies, POST=store.store)),
    path("series", by_method(GET=search.series)),
    path("instances", by_method(GET=search.instances)),
    path(STUDY, by_method(GET=retrieve.study, POST=store.store)),
    path(f"{STUDY}/metadata", by_method(GET=metadata.study)),
    path(f"{STUDY}/thumbnail", by_method(GET=previews.study_thumbnail)),
    path(f"{STUDY}/series", by_method(GET=search.series)),
    path(f"{STUDY}/instances", by_method(GET=search.instances)),
    path(SERIES, by_method(GET=retrieve.series)),
    path(f"{SERIES}/metadata", by_method(GET=metadata.series)),
    path(f"{SERIES}/thumbnail", by_method(GET=previews.series_thumbnail)),
    path(f"{SERIES}/instances", by_method(GET=search.instances)),
    path(INSTANCE, by_method(GET=retrieve.instance)),
    path(f"{INSTANCE}/metadata", by_method(GET=metadata.instance)),
    path(f"{INSTANCE}/rendered", by_method(GET=previews.instance)),
    path(f"{INSTANCE}/thumbnail", by_method(GET=previews.instance_thumbnail)),
    path(f"{INSTANCE}/frames/<frames:numbers>", by_method(GET=retrieve.frames)),
    path(f"{INSTANCE}/frames/<frame:number>/rendered", by_method(GET=previews.instance)),
    path(f"{INSTANCE}/frames/<frame:number>/thumbnail", by_method(GET=previews.instance_thumbnail)),
    path(f"{INSTANCE}/bulkdata/<bulk:path>", by_method(GET=bulkdata.bulkdata)),
]
