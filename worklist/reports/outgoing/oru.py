r"""A signed version as HL7 v2.5.1 ORU^R01 (chapter 7). Pure: the same version gives the same message.

Text is UTF-8, said so in MSH-18. What HL7 keeps for itself is escaped (2.7.1): `|` `^` `&` `~` `\` become
`\F\` `\S\` `\T\` `\R\` `\E\`, and lines of formatted text are told apart by `\.br\`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from worklist.reports.outgoing.sheet import ReportSheet, Signature
from worklist.reports.sr import HEADINGS, TITLE

CHARACTER_SET: Final = "UNICODE UTF-8"
PATIENT_CLASS: Final = {"er": "E", "icu": "I", "inpatient": "I", "outpatient": "O"}
# SNOMED CT, as DICOM CID 240 and its neighbour have them.
ANSWERS: Final = {
    "present": ("52101004", "Present"),
    "absent": ("272519000", "Absent"),
    "indeterminate": ("82334004", "Indeterminate"),
}
_ESCAPES: Final = {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"}
_SPECIAL: Final = re.compile(r"[\\|^&~]")
# CE.2 and PL.1 are strings of at most 199 characters (2.A).
_LONGEST_NAME: Final = 199


@dataclass(frozen=True)
class Route:
    """Who sends to whom (MSH-3 to MSH-6)."""

    sending_application: str
    sending_facility: str
    receiving_application: str
    receiving_facility: str


def message(sheet: ReportSheet, route: Route, control_id: str) -> str:
    """The message, segments ended by a carriage return.

    Args:
        control_id: MSH-10, at most 20 characters; the receiver answers with it.
    """
    segments = [
        _msh(sheet, route, control_id),
        _pid(sheet),
        *_pv1(sheet),
        _orc(sheet),
        _obr(sheet),
        *_obx(sheet),
    ]
    return "".join(f"{'|'.join(fields).rstrip('|')}\r" for fields in segments)


def escaped(text: str) -> str:
    """A value without anything that HL7 would read as structure; line breaks become spaces."""
    flat = " ".join(text.split("\n")) if "\n" in text else text
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], _printable(flat))


def formatted(text: str) -> str:
    r"""Text of several lines as FT: `\.br\` between them (2.7.6)."""
    return "\\.br\\".join(escaped(line) for line in text.strip().split("\n"))


def timestamp(at: datetime) -> str:
    """TS with seconds and zone, in UTC."""
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")


def _printable(text: str) -> str:
    return "".join(c if c >= " " else " " for c in text)


def _components(*parts: str) -> str:
    return "^".join(escaped(part[:_LONGEST_NAME]) for part in parts).rstrip("^")


def _msh(sheet: ReportSheet, route: Route, control_id: str) -> list[str]:
    return [
        "MSH",
        "^~\\&",
        escaped(route.sending_application),
        escaped(route.sending_facility),
        escaped(route.receiving_application),
        escaped(route.receiving_facility),
        timestamp(sheet.last.at),
        "",
        "ORU^R01^ORU_R01",
        control_id,
        "P",
        "2.5.1",
        *[""] * 5,
        CHARACTER_SET,
    ]


def _pid(sheet: ReportSheet) -> list[str]:
    assigner = escaped(sheet.issuer_of_patient_id)
    sex = sheet.patient_sex if sheet.patient_sex in ("M", "F", "O") else "U"
    birth = sheet.patient_birth_date if re.fullmatch(r"\d{8}", sheet.patient_birth_date) else ""
    identifier = f"{escaped(sheet.patient_id)}^^^{assigner}^MR"
    return ["PID", "1", "", identifier, "", person(sheet.patient_name), "", birth, sex]


def person(name: str) -> str:
    """A DICOM PN as XPN: family, given, middle, suffix, prefix; ideographic and phonetic groups repeat.

    PN orders family, given, middle, prefix, suffix (PS3.5 6.2.1).
    """
    repeats = []
    for group, representation in zip(name.split("="), ("A", "I", "P"), strict=False):
        if not group:
            continue
        parts = [*group.split("^"), *[""] * 5][:5]
        family, given, middle, prefix, suffix = (escaped(part) for part in parts)
        repeats.append(f"{family}^{given}^{middle}^{suffix}^{prefix}^^L^{representation}")
    return "~".join(repeats)


def _pv1(sheet: ReportSheet) -> list[list[str]]:
    if sheet.order is None:
        return []
    order = sheet.order
    where = _components(order.department or order.location, "", order.location if order.department else "")
    return [["PV1", "1", PATIENT_CLASS.get(order.location_class, "U"), where]]


def _orc(sheet: ReportSheet) -> list[str]:
    accession = escaped(sheet.accession_number)
    return ["ORC", "RE", accession, accession, "", "CM"]


def _obr(sheet: ReportSheet) -> list[str]:
    accession = escaped(sheet.accession_number)
    procedure = (sheet.order.procedure if sheet.order else "") or sheet.study_description
    fields = [""] * 33
    fields[0:5] = [
        "OBR",
        "1",
        accession,
        accession,
        _components(TITLE[0], TITLE[2], TITLE[1], procedure, procedure, "L" if procedure else ""),
    ]
    fields[7] = _study_time(sheet)
    fields[16] = person_with_id(sheet.referring_physician)
    fields[18] = accession
    fields[22] = timestamp(sheet.last.at)
    fields[24] = "RAD"
    fields[25] = sheet.status.hl7
    fields[31] = _components("", sheet.order.reason_for_exam) if sheet.order else ""
    fields[32] = _interpreter(sheet.signatures[0])
    return fields


def person_with_id(name: str) -> str:
    """A DICOM PN as XCN without an id."""
    if not name:
        return ""
    parts = [*name.split("=")[0].split("^"), *[""] * 5][:5]
    family, given, middle, prefix, suffix = (escaped(part) for part in parts)
    return f"^{family}^{given}^{middle}^{suffix}^{prefix}".rstrip("^")


def _interpreter(signature: Signature) -> str:
    """NDL whose first component is a CNN: id, family, given, parted by `&`."""
    family, _, given = _split(signature.name)
    return "&".join(escaped(part) for part in (signature.username, family, given)).rstrip("&")


def _observer(signature: Signature) -> str:
    family, _, given = _split(signature.name)
    return _components(signature.username, family, given)


def _split(shown: str) -> tuple[str, str, str]:
    """A shown name by its last word; a lone word is the family name."""
    given, space, family = shown.strip().rpartition(" ")
    return family, space, given


def _study_time(sheet: ReportSheet) -> str:
    if not re.fullmatch(r"\d{8}", sheet.study_date):
        return ""
    clock = re.match(r"\d{4}(\d\d)?", sheet.study_time)
    return sheet.study_date + (clock[0] if clock else "")


def _obx(sheet: ReportSheet) -> list[list[str]]:
    """One OBX a section, then one a conclusion, then the study's UID."""
    values: list[tuple[str, str, str]] = []
    for key, title, text in sheet.sections:
        heading = HEADINGS[key.split("-")[0]][0]
        words = f"{title}\n{text}" if key.startswith("addendum-") else text
        values.append(("FT", _components(heading[0], heading[2], heading[1]), formatted(words)))
    for conclusion in sheet.conclusions:
        if conclusion["value"] in ANSWERS:
            code, meaning = ANSWERS[conclusion["value"]]
            asked = _components(conclusion["code"], conclusion["meaning"], conclusion["scheme"])
            values.append(("CE", asked, _components(code, meaning, "SCT")))
    values.append(("ST", _components("113014", "Study", "DCM"), escaped(sheet.study_instance_uid)))
    made = []
    for number, (kind, observation, value) in enumerate(values, start=1):
        fields = ["OBX", str(number), kind, observation, "", value, *[""] * 5, sheet.status.hl7]
        fields += ["", "", timestamp(sheet.last.at), "", _observer(sheet.last)]
        made.append(fields)
    return made
