"""The codes that the built-in feature `language` can have, each with its name in English.

A policy that compares with another text compares with what never is, which is how a mistyped rule does nothing. What tells
the languages lives elsewhere; a test keeps this table and its model the same.
"""

from typing import Final

__all__ = ["LANGUAGES", "code_of"]

LANGUAGES: Final = {
    "ace": "acehnese", "af": "afrikaans", "am": "amharic", "an": "aragonese", "ar": "arabic", "as": "assamese", "az": "azerbaijani",
    "ba": "bashkir", "bcl": "bikol", "be": "belarusian", "bg": "bulgarian", "bn": "bengali", "br": "breton", "bs": "bosnian",
    "ca": "catalan", "crh": "crimean tatar", "cs": "czech", "cy": "welsh", "da": "danish", "de": "german", "dz": "dzongkha",
    "el": "greek", "en": "english", "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian",
    "ff": "fula", "fi": "finnish", "fo": "faroese", "fr": "french", "fy": "frisian", "ga": "irish", "gcf": "guadeloupean creole",
    "gcr": "guianese creole", "gd": "scottish gaelic", "gl": "galician", "gn": "guarani", "gom": "konkani", "grc": "ancient greek",
    "gu": "gujarati", "guw": "gun", "ha": "hausa", "he": "hebrew", "hi": "hindi", "hr": "croatian", "ht": "haitian creole",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "ig": "igbo", "is": "icelandic", "it": "italian", "ja": "japanese",
    "jv": "javanese", "ka": "georgian", "kab": "kabyle", "ki": "kikuyu", "kk": "kazakh", "km": "khmer", "kn": "kannada",
    "ko": "korean", "ku": "kurdish", "ky": "kyrgyz", "la": "latin", "lb": "luxembourgish", "lg": "ganda", "lij": "ligurian",
    "ln": "lingala", "lo": "lao", "lt": "lithuanian", "lv": "latvian", "mg": "malagasy", "mk": "macedonian", "ml": "malayalam",
    "mn": "mongolian", "mr": "marathi", "ms": "malay", "mt": "maltese", "my": "burmese", "ne": "nepali", "nl": "dutch",
    "no": "norwegian", "nso": "northern sotho", "oc": "occitan", "om": "oromo", "or": "odia", "pa": "punjabi",
    "pcm": "nigerian pidgin", "pl": "polish", "ps": "pashto", "pt": "portuguese", "qu": "quechua", "ro": "romanian",
    "ru": "russian", "rw": "kinyarwanda", "sa": "sanskrit", "se": "northern sami", "si": "sinhala", "sk": "slovak",
    "sl": "slovenian", "sn": "shona", "so": "somali", "sq": "albanian", "sr": "serbian", "st": "sotho", "sv": "swedish",
    "sw": "swahili", "ta": "tamil", "te": "telugu", "tg": "tajik", "th": "thai", "tk": "turkmen", "tl": "tagalog",
    "tr": "turkish", "tt": "tatar", "ug": "uyghur", "uk": "ukrainian", "ur": "urdu", "uz": "uzbek", "vec": "venetian",
    "vi": "vietnamese", "vo": "volapük", "wa": "walloon", "xh": "xhosa", "yo": "yoruba", "zh": "chinese", "zu": "zulu",
}  # fmt: skip

_OTHER_NAMES: Final = {
    "español": "es", "espanol": "es", "castellano": "es", "castilian": "es", "guaraní": "gn", "gug": "gn", "avañe'ẽ": "gn", "português": "pt",
    "portugues": "pt", "deutsch": "de", "français": "fr", "francais": "fr", "italiano": "it", "mandarin": "zh", "filipino": "tl",
    "farsi": "fa", "spa": "es", "eng": "en", "por": "pt", "deu": "de", "fra": "fr", "zho": "zh", "cmn": "zh", "grn": "gn",
    "nb": "no", "nn": "no", "fil": "tl", "iw": "he", "in": "id",
}  # fmt: skip


def code_of(text: str) -> str | None:
    """The code that somebody probably means who writes this: a name, another code, or a code with a region."""
    plain = text.strip().lower()
    by_name = {name: code for code, name in LANGUAGES.items()} | _OTHER_NAMES
    stem = plain.replace("_", "-").partition("-")[0]
    for wanted in (plain, stem):
        if wanted in LANGUAGES:
            return wanted
        if wanted in by_name:
            return by_name[wanted]
    return None
