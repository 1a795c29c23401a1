"""Where a page stands in each language: that of the first one on top, others in folders below."""

from ...languages import load_language, spoken


def up_to(page: str, codes: list[str]) -> str:
    """The way from a page (its name, without .html) in the spoken language to the site's top."""
    return "../" * (page.count("/") + (spoken().code != codes[0]))


def others(page: str, codes: list[str]) -> list[tuple[str, str, str]]:
    """The same page in the other languages of the site: (code, name of the language, link)."""
    top = up_to(page, codes)
    return [
        (
            code,
            load_language(code).name,
            f"{top}{'' if code == codes[0] else f'{code}/'}{page}.html",
        )
        for code in codes
        if code != spoken().code
    ]
