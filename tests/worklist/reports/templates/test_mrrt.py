"""Templates in the RSNA MRRT format: what is taken over, what is left out, and what cannot harm."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklist.reports.templates import mrrt
from worklist.reports.templates.content import parse

RENAL = """<!DOCTYPE html><html><head><title>CT  Renal
 mass</title><meta charset="UTF-8">
<script type="text/xml"><template_attributes><coded_content>
 <entry ORIGTXT="T005"><term><code meaning="Size" value="RDE1289" scheme="RADELEMENT"/></term></entry>
</coded_content></template_attributes></script></head><body>
<section id="T1" class="level1" data-section-name="Clinical information">
 <header class="level1">Clinical information</header>
 <p><textarea id="T2" name="Indication" data-field-type="TEXT"></textarea></p></section>
<section class="level1" data-section-name="Findings"><header>Findings</header>
 <p>Kidneys are of normal size &amp; shape.</p>
 <p><label for="T005">Mass size</label><input type="number" id="T005" data-field-type="NUMBER"
   data-field-units="mm" min="0" max="300" value="5"></p>
 <p><label for="T6">Side</label><select id="T6" data-field-type="SELECTION_LIST">
  <option value="l" selected>Left</option><option>Right</option></select></p>
 <p><label for="T7">Signs</label><select id="T7" multiple>
  <option>Fat</option><option>Calcification</option></select></p>
</section>
<section class="level1" data-section-name="Bones"><p>Intact.</p></section>
<section class="level1" data-section-name="Impression"><p>Normal.</p></section>
</body></html>"""


def test_a_template_is_taken_over_with_fields_choices_units_and_radelement_ids() -> None:
    found = mrrt.read(RENAL)
    assert found.name == "CT Renal mass"
    content = parse(found.content)
    assert [(s.key, s.title) for s in content.sections] == [
        ("history", "Clinical information"),
        ("findings", "Findings"),
        ("findings-bones", "Bones"),
        ("impression", "Impression"),
    ]
    fields = {one.label: one for _, one in content.fields()}
    size, side, signs = fields["Mass size"], fields["Side"], fields["Signs"]
    assert (size.type, size.unit, size.cde, size.maximum) == ("number", "mm", "RDE1289", 300)
    assert (side.type, [c.value for c in side.choices]) == ("choice", ["Left", "Right"])
    assert signs.type == "choices"
    assert content.sections[1].text == "Kidneys are of normal size & shape."


def test_what_would_sign_unread_words_is_left_out_and_said() -> None:
    found = mrrt.read(RENAL)
    assert found.content["sections"][3]["text"] == ""
    assert any("impression starts empty" in words for words in found.warnings)
    assert any("preset choice" in words for words in found.warnings)


HOSTILE = """<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>
<section data-section-name="Findings" onclick="alert(1)"><p>&b;<script>alert(2)</script>
<img src=x onerror=alert(3)><iframe src="http://evil.example"></iframe>Text <b>bold</b></p>
<input type="file" id="f"><input type="TEXT" id="&quot;><script>" name="<script>alert(4)</script>"></section>"""


def test_code_in_a_file_is_text_at_most() -> None:
    found = mrrt.read(HOSTILE)
    content = parse(found.content)
    text = content.sections[0].text
    assert "Text bold" in text and "alert" not in text and "aaaa" not in text and "root:" not in text
    assert any("<img>" in words for words in found.warnings)
    assert any("FILE" in words for words in found.warnings)


@pytest.mark.parametrize("html", ["", "<html></html>", "plain", "x" * (mrrt.LONGEST + 1), "<section" * 10])
def test_what_is_no_template_is_refused_in_words(html: str) -> None:
    with pytest.raises(mrrt.NotMrrt):
        mrrt.read(html)


pieces = st.lists(
    st.sampled_from(
        ["<section>", "</section>", '<section data-section-name="Impression">', "<p>", "</p>", "<select>"]
        + [
            "<option>",
            "</select>",
            '<input type="number" min="x">',
            "<textarea>",
            "</textarea>",
            "<label for=a>",
        ]
        + [
            "</label>",
            "<header>",
            "</header>",
            "<script>",
            "</script>",
            "<!--",
            "-->",
            "&#x0;",
            "Findings",
            "<",
        ]
    )
    | st.text(max_size=6),
    max_size=25,
).map("".join)


@given(pieces)
def test_whatever_is_taken_over_is_a_right_template(html: str) -> None:
    try:
        found = mrrt.read("<section data-section-name=Findings>" + html)
    except mrrt.NotMrrt:
        return
    parse(found.content)
