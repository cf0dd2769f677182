"""Which names of columns are language codes, so that a header such as ``en de`` announces parallel text."""

import re

# ISO 639-1, every language that has a code of two letters.
_TWO_LETTERS = """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el
en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu
ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na
nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn
so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""

# ISO 639-3: the larger languages, and those without a code of two letters that parallel corpora often hold. Not all of
# the standard's 7,900 codes: "the", "are" and "not" are among them, and a header must not be mistaken for a text.
_THREE_LETTERS = """
afr amh ara arz asm ast aze bel ben ber bos bre bul cat ceb ces ckb cmn cym dan deu ell eng epo est eus fao
fil fra fry gle glg gsw guj hau heb hin hrv hun hye ibo ilo ina ind isl ita jav jpn kab kan kat kaz khm kin
kir kor kur lao lat lav lit ltz mal mar mkd mlt mon mya nds nep nld nob nno nso oci ori orm pan pcm pes pol
por pus ron rus sin slk slv snd som spa sqi srp sun swa swe swh tam tel tgk tgl tha tir tuk tur uig ukr urd
uzb vie wol xho yor yue zho zsm zul
"""

_LANGUAGES = frozenset(f"{_TWO_LETTERS} {_THREE_LETTERS}".split())

# A code, then a script (Latn) and a region (BR, 419) if need be: en, pt-BR, zh_Hans, sr-Latn-RS, hau_Latn.
_TAG = re.compile(r"([a-z]{2,3})([-_][A-Z][a-z]{3})?([-_](?:[A-Z]{2}|[0-9]{3}))?")


def is_language_code(name: str) -> bool:
    """Tell whether ``name`` is a code of ISO 639, alone or with a script or region behind it."""
    match = _TAG.fullmatch(name)
    if match is None:
        return False
    language, script, region = match.groups()
    return language in _LANGUAGES or (script or region) is not None


_SCRIPTS = {"latin": "Latn", "cyrillic": "Cyrl", "arabic": "Arab", "devanagari": "Deva", "hebrew": "Hebr"}
"""The modifiers of a locale that name a script (``sr@latin``); of a language, any other is one variety of it."""


def normal_code(code: str) -> str:
    """Write a language code the usual way: ``DE``, ``en_us`` and ``sr@latin`` become ``de``, ``en-US``, ``sr-Latn``.

    Args:
        code: A code of ISO 639, perhaps with a script or region, or the name of a locale (``de_DE.UTF-8@euro``).

    Returns:
        The normal form of the code; an unknown code as it is, for the error text.
    """
    locale, _, modifier = code.strip().partition("@")
    language, *rest = locale.partition(".")[0].replace("_", "-").split("-")
    parts = [part.title() if len(part) == 4 else part.upper() for part in rest]  # noqa: PLR2004 a script: Latn
    script = _SCRIPTS.get(modifier.lower())
    normal = "-".join([language.lower(), *([script] if script else []), *parts])
    return normal if is_language_code(normal) else code.strip()


def unknown_code(code: str) -> str:
    """Say that a language code is not known, and which form a code has."""
    return f"{code!r} is not a language code; write one of ISO 639, such as de or pt-BR"
