"""Help-centre pages as a customer sees them: what is not public does not exist."""

from __future__ import annotations

from flask import render_template
from flask.typing import ResponseReturnValue
from markupsafe import Markup

from sandbox import markup
from sandbox.knowledge import MAIN_LANGUAGE, PUBLIC
from sandbox.pages import TITLES, bp
from sandbox.records import Vendor
from sandbox.state import here
from sandbox.zendesk_guide import LOCALES


@bp.get("/zendesk/hc/<locale>/articles/<int:article_id>")
def zendesk_article(locale: str, article_id: int) -> ResponseReturnValue:
    """Show an article of the Zendesk account."""
    spoken = {locale: language for language, locale in LOCALES.items()}
    return _page("zendesk", article_id, spoken.get(locale, locale))


@bp.get("/freshdesk/support/solutions/articles/<int:article_id>")
@bp.get("/freshdesk/<language>/support/solutions/articles/<int:article_id>")
def freshdesk_article(article_id: int, language: str = MAIN_LANGUAGE) -> ResponseReturnValue:
    """Show an article of the Freshdesk account."""
    return _page("freshdesk", article_id, language)


def _page(vendor: Vendor, article_id: int, language: str) -> ResponseReturnValue:
    article = here().desks[vendor].articles.get(article_id)
    shown = article.translations.get(language) if article and article.state == PUBLIC else None
    if shown is None or shown.draft:
        return render_template("missing.html", title=TITLES[vendor], number=article_id, kind="article"), 404
    body = Markup(markup.clean(shown.body))  # noqa: S704 - an allow-list of tags is what clean() leaves
    return render_template("article.html", title=shown.title, body=body, language=language)
