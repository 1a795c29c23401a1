"""The languages that the course speaks: English, and one file for each other language, `ru.po`.

`speak("ru")` chooses one for the rest of this process. From then on `tr` and `trn`, which stand
around each sentence that a reader may see, answer in that language. A text without a translation
stays English. The catalogues are gettext's (PO); `authoring.texts` brings them up to date.
"""

import gettext
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polib

FOLDER = Path(__file__).parent
ENGLISH = "en"


@dataclass(frozen=True)
class Language:
    """One language with its texts.

    texts   (context, English) -> the text in this language; the context of a text in code is the
            name of its file, all others have none, ""
    many    (one, many) -> the forms after a number, which `plural` chooses from
    """

    code: str  # ISO 639-1: "ru"
    name: str  # as its speakers write it: "Русский"
    english_name: str  # "russian": the name of the edition
    texts: Mapping[tuple[str, str], str] = field(repr=False, default_factory=dict)
    many: Mapping[tuple[str, str], Mapping[int, str]] = field(repr=False, default_factory=dict)
    plural: Callable[[int], int] = field(repr=False, default=lambda n: int(n != 1))

    def text(self, english: str, context: str = "") -> str:
        """The text in this language, or the English one where there is none."""
        return self.texts.get((context, english), english)


_known: dict[str, Language] = {ENGLISH: Language(ENGLISH, "English", "english")}
_spoken = _known[ENGLISH]


def languages() -> list[str]:
    """The codes of all languages, English first."""
    return [ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po"))]


def load_language(code: str) -> Language:
    """The language with this code. Raises ValueError, naming those that there are."""
    if not isinstance(code, str) or code not in languages():
        raise ValueError(f"the course speaks {', '.join(languages())}, got {code!r:.40}")
    if code not in _known:
        _known[code] = read_catalogue(FOLDER / f"{code}.po")
    return _known[code]


def forget(code: str) -> None:
    """Read the catalogue of a language anew when it is next asked for: its file has changed."""
    if code != ENGLISH:
        _known.pop(code, None)


def read_catalogue(path: Path) -> Language:
    """The language in a PO file; texts whose English has changed since (fuzzy) count as missing.

    Raises ValueError, in one sentence, for a file that is no catalogue.
    """
    try:
        file = polib.pofile(str(path), encoding="utf-8")
        about = file.metadata
        code, name, english_name = (about[key] for key in ("Language", "X-Name", "X-English-Name"))
        forms = about["Plural-Forms"].partition("plural=")[2].rstrip("; ")
        plural = gettext.c2py(forms)  # type: ignore[attr-defined]  # no stub knows it
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as problem:
        raise ValueError(f"{path.name} is no catalogue of a language: {problem}") from None
    done = [entry for entry in file if entry.translated() and not entry.obsolete]
    texts = {(e.msgctxt or "", e.msgid): e.msgstr for e in done if not e.msgid_plural}
    many = {(e.msgid, e.msgid_plural): e.msgstr_plural for e in done if e.msgid_plural}
    return Language(code, name, english_name, texts, many, plural)


def speak(language: str) -> None:
    """Choose the language of all controls and messages from here on: "en", "ru".

    Raises ValueError for a language that the course does not speak.
    """
    global _spoken
    _spoken = load_language(language)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak another language for a while."""
    global _spoken
    before = _spoken
    speak(language)
    try:
        yield
    finally:
        _spoken = before


def spoken() -> Language:
    """The language chosen by `speak`; English at the start."""
    return _spoken


def tr(text: str, *values: object) -> str:
    """The text in the spoken language, with the values in its places {}, as `str.format` has them.

    A value with a form stands as `tr("{:.0%} noise", share)`. Without values, braces are braces.
    """
    found = _spoken.text(text)
    return found.format(*values) if values else found


def marked(text: str) -> str:
    """The text itself, for a constant: `tr` puts it into the spoken language where it is shown."""
    return text


def trn(one: str, many: str, n: int, *values: object) -> str:
    """`tr` of a text with a number: `trn("{} step", "{} steps", n, n)` chooses by `n`."""
    forms = _spoken.many.get((one, many), {0: one, 1: many})
    plural = _spoken.plural if (one, many) in _spoken.many else _known[ENGLISH].plural
    return forms[plural(n)].format(*values)
