"""QIDO-RS (PS3.18 10.6): search for studies, series and instances.

A search takes a fixed number of database queries, whatever it finds. Attributes with a column are matched
by the database; the others are matched against the stored attributes, row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any, Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from foundation.accounts.models import User
from foundation.audit import services as audit
from foundation.problems import Problem
from pacs.dicomweb import answers, media, results
from pacs.dicomweb.access import READERS, endpoint, series_of, study_of
from pacs.dicomweb.matching import Matcher, Unmatchable, matcher
from pacs.dicomweb.query import MODALITIES_IN_STUDY, PATIENT_ID, Key, Query, parse_query
from pacs.models import Instance, Patient, Series, Study
from pacs.selectors import hide_withheld, metadata_of, studies_visible_to, withheld_from

MAXIMUM: Final = {"study": 1000, "series": 5000, "instance": 20_000}

STUDY_COLUMNS: Final = {
    "00080020": "study_date",
    "00080030": "study_time",
    "00080050": "accession_number",
    "00080080": "institution_name",
    "00080090": "referring_physician_name",
    "00081030": "study_description",
    "00100010": "patient__patient_name",
    "00100020": "patient__patient_id",
    "00100021": "patient__issuer_of_patient_id",
    "00100030": "patient__patient_birth_date",
    "00100040": "patient__patient_sex",
    "00101010": "patient_age",
    "0020000D": "study_instance_uid",
    "00200010": "study_id",
    "00201206": "number_of_series",
    "00201208": "number_of_instances",
}
SERIES_COLUMNS: Final = {
    "00080021": "series_date",
    "00080031": "series_time",
    "00080060": "modality",
    "0008103E": "series_description",
    "00180015": "body_part_examined",
    "00181030": "protocol_name",
    "0020000E": "series_instance_uid",
    "00200011": "series_number",
    "00201209": "number_of_instances",
}
INSTANCE_COLUMNS: Final = {
    "00080016": "sop_class_uid",
    "00080018": "sop_instance_uid",
    "00083002": "transfer_syntax_uid",
    "00200013": "instance_number",
    "00280008": "number_of_frames",
    "00280010": "rows",
    "00280011": "columns",
}
COUNTS: Final = frozenset({"00201206", "00201208"})
# Said of a study, true of one of its series or instances.
OF_ITS_SERIES: Final = {**SERIES_COLUMNS, MODALITIES_IN_STUDY: "modality"}
OF_ITS_INSTANCES: Final = {
    "00080016": "sop_class_uid",
    "00080018": "sop_instance_uid",
    "00080062": "sop_class_uid",
}


@endpoint(*READERS)
def studies(request: HttpRequest, user: User) -> HttpResponse:
    """`/studies`: newest first."""
    query = _query(request, "study")
    rows = studies_visible_to(user).select_related("patient").order_by("-study_date", "-study_time", "-pk")
    root = _root(request)
    _record(request, "studies", query)
    return _answer(
        query,
        *_narrowed(rows, query, partial(_study_condition, withheld=withheld_from(user))),
        as_seen=partial(hide_withheld, user),
        attributes=lambda study: study.attributes,
        content=lambda study: results.study_content(study, query, root),
    )


@endpoint(*READERS)
def series(request: HttpRequest, user: User, study_uid: str = "") -> HttpResponse:
    """`/series` and `/studies/{study}/series`."""
    query = _query(request, "series")
    withheld = withheld_from(user)
    rows = _known_series(withheld).select_related("study__patient")
    rows, study = _within(rows, user, "study", study_uid)
    root = _root(request)
    _record(request, "series", query, study)
    return _answer(
        query,
        *_narrowed(
            rows.order_by("study_id", F("series_number").asc(nulls_last=True), "pk"),
            query,
            partial(_series_condition, withheld=withheld),
        ),
        attributes=lambda row: {**row.study.attributes, **row.attributes},
        content=lambda row: results.series_content(row, query, root, with_study=study is None),
    )


@endpoint(*READERS)
def instances(request: HttpRequest, user: User, study_uid: str = "", series_uid: str = "") -> HttpResponse:
    """`/instances`, `/studies/{study}/instances` and `/studies/{study}/series/{series}/instances`."""
    query = _query(request, "instance")
    withheld = withheld_from(user)
    rows = _known_instances(withheld).select_related("series__study__patient")
    study: Study | None
    if series_uid:
        within = series_of(user, study_uid, series_uid)
        rows, study = rows.filter(series=within), within.study
    else:
        rows, study = _within(rows, user, "series__study", study_uid)
    root = _root(request)
    _record(request, "instances", query, study)
    return _answer(
        query,
        *_narrowed(
            rows.order_by("series_id", F("instance_number").asc(nulls_last=True), "pk"),
            query,
            partial(_instance_condition, withheld=withheld),
        ),
        attributes=metadata_of,
        content=lambda row: results.instance_content(row, query, root, with_study=study is None),
    )


def _within(rows: QuerySet[Any], user: User, path: str, study_uid: str) -> tuple[QuerySet[Any], Study | None]:
    if study_uid:
        study = study_of(user, study_uid)
        return rows.filter(**{path: study}), study
    return rows.filter(**{f"{path}__in": studies_visible_to(user)}), None


def _known_series(withheld: Q | None) -> QuerySet[Series]:
    """Series without those that the caller may not know of now."""
    return Series.objects.all() if withheld is None else Series.objects.filter(~withheld)


def _known_instances(withheld: Q | None) -> QuerySet[Instance]:
    if withheld is None:
        return Instance.objects.all()
    return Instance.objects.exclude(series__in=Series.objects.filter(withheld))


def _study_condition(tag: str, rule: Matcher, withheld: Q | None) -> Q | None:
    if withheld is not None and tag in COUNTS:
        return Q(pk__in=[])  # the stored counts count what is withheld too
    if tag in STUDY_COLUMNS:
        return rule.q(STUDY_COLUMNS[tag])
    if tag in OF_ITS_SERIES:
        return Q(Exists(_known_series(withheld).filter(rule.q(OF_ITS_SERIES[tag]), study=OuterRef("pk"))))
    if tag in OF_ITS_INSTANCES:
        held = _known_instances(withheld).filter(rule.q(OF_ITS_INSTANCES[tag]), series__study=OuterRef("pk"))
        return Q(Exists(held))
    return None


def _series_condition(tag: str, rule: Matcher, withheld: Q | None) -> Q | None:
    if withheld is not None and tag in COUNTS:
        return Q(pk__in=[])
    if tag in SERIES_COLUMNS:
        return rule.q(SERIES_COLUMNS[tag])
    if tag in STUDY_COLUMNS:
        return rule.q(f"study__{STUDY_COLUMNS[tag]}")
    if tag == MODALITIES_IN_STUDY:
        return Q(Exists(_known_series(withheld).filter(rule.q("modality"), study=OuterRef("study_id"))))
    if tag in OF_ITS_INSTANCES:
        return Q(Exists(Instance.objects.filter(rule.q(OF_ITS_INSTANCES[tag]), series=OuterRef("pk"))))
    return None


def _instance_condition(tag: str, rule: Matcher, withheld: Q | None) -> Q | None:
    if withheld is not None and tag in COUNTS:
        return Q(pk__in=[])
    if tag in INSTANCE_COLUMNS:
        return rule.q(INSTANCE_COLUMNS[tag])
    if tag in SERIES_COLUMNS:
        return rule.q(f"series__{SERIES_COLUMNS[tag]}")
    if tag in STUDY_COLUMNS:
        return rule.q(f"series__study__{STUDY_COLUMNS[tag]}")
    if tag == MODALITIES_IN_STUDY:
        others = _known_series(withheld).filter(rule.q("modality"), study=OuterRef("series__study_id"))
        return Q(Exists(others))
    return None


Rest = list[tuple[Key, Matcher]]


def _narrowed(
    rows: QuerySet[Any], query: Query, condition: Callable[[str, Matcher], Q | None]
) -> tuple[QuerySet[Any], Rest]:
    """Rows under all conditions that the database can check, and the keys it cannot."""
    rest: Rest = []
    for key in query.keys:
        tag = key.path[0]
        if tag == PATIENT_ID and not key.values:
            # A viewer that asks for "the other studies of this patient" of a patient without an ID must
            # not get everybody's. An empty value would mean any value (PS3.4 C.2.2.2.3).
            return rows.none(), []
        if not key.values:
            continue
        rule = _rule(key)
        found = condition(tag, rule) if len(key.path) == 1 else None
        if found is None:
            rest.append((key, rule))
        else:
            rows = rows.filter(found)
    return rows, rest


def _rule(key: Key) -> Matcher:
    values = key.values
    if key.path == (PATIENT_ID,) and any("*" in value or "?" in value for value in values):
        # IDs such as "???" exist. Where one does, it is meant, and not everybody with three letters.
        literal = Patient.objects.filter(patient_id__in=values).exists()
        vr = "UI" if literal else key.vr
        return _checked(key, vr)
    return _checked(key, key.vr)


def _checked(key: Key, vr: str) -> Matcher:
    try:
        return matcher(vr, key.values)
    except Unmatchable as error:
        raise Problem(400, "Not a value to search for", f"{'.'.join(key.path)}: {error}.") from None


def _answer(
    query: Query,
    rows: QuerySet[Any],
    rest: Rest,
    *,
    as_seen: Callable[[list[Any]], None] | None = None,
    attributes: Callable[[Any], dict[str, Any]],
    content: Callable[[Any], dict[str, Any]],
) -> HttpResponse:
    end = query.offset + query.limit
    found: list[Any]
    if rest:
        fitting = (row for row in rows.iterator(chunk_size=500) if _fits(attributes(row), rest))
        found = list(islice(fitting, query.offset, end + 1))
    else:
        found = list(rows[query.offset : end + 1])
    more = len(found) > query.limit
    if as_seen is not None:
        as_seen(found)
    response = answers.dicom_json([content(row) for row in found[: query.limit]])
    warnings = list(query.warnings)
    if more:
        warnings.append(f"there are more results, ask again with offset={end}")
    if warnings:
        response["Warning"] = ", ".join(f'299 firstread "{text}"' for text in warnings[:10])
    return response


def _fits(attributes: dict[str, Any], rest: Rest) -> bool:
    return all(any(rule.matches(value) for value in _held(attributes, key.path)) for key, rule in rest)


def _held(attributes: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """All values at a path; the empty text when there is none."""
    values = attributes.get(path[0], {}).get("Value") or []
    if len(path) > 1:
        for item in values:
            if isinstance(item, dict):
                yield from _held(item, path[1:])
        return
    if not values:
        yield ""
    for value in values:
        if isinstance(value, dict):
            groups = ("Alphabetic", "Ideographic", "Phonetic")
            yield "=".join(str(value.get(group, "")) for group in groups).rstrip("=")
        else:
            yield "" if value is None else str(value)


def _query(request: HttpRequest, level: str) -> Query:
    media.require_json(request)
    return parse_query(request.GET, maximum=MAXIMUM[level])


def _record(request: HttpRequest, what: str, query: Query, study: Study | None = None) -> None:
    patients = query.values_of(PATIENT_ID)
    named = query.named()[:200]
    audit.record_read(
        request,
        kind=audit.Kind.QUERY,
        study_instance_uid=study.study_instance_uid if study else "",
        patient_id=study.patient.patient_id if study else (patients[0][:64] if len(patients) == 1 else ""),
        what=f"search {what}" + (f" by {named}" if named else ""),
    )


def _root(request: HttpRequest) -> str:
    return request.build_absolute_uri("/dicom-web")
