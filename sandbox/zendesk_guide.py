"""Zendesk's help centre: articles with their translations, as agents see them (drafts and internal ones too)."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import zendesk_paging as paging
from sandbox.knowledge import CUSTOMERS, INTERNAL, MAIN_LANGUAGE, Article, Translation
from sandbox.records import iso
from sandbox.state import here
from sandbox.zendesk import FORBIDDEN, NO_ENDPOINT, Refusal, desk, route, url

# Who may see an article: nobody named is everybody.
SEGMENTS: dict[str, int | None] = {INTERNAL: 28523370353171, CUSTOMERS: 28523370353299}
LOCALES = {"en": "en-us"}


@route("/help_center/articles")
def list_articles() -> ResponseReturnValue:
    """List the articles in the main language, oldest first."""
    _there()
    articles = sorted(desk().articles.values(), key=lambda one: one.id)
    return jsonify(paging.page(articles, "articles", _article))


@route("/help_center/articles/<int:article_id>")
def show_article(article_id: int) -> ResponseReturnValue:
    """Show an article."""
    _there()
    return jsonify(article=_article(paging.find(desk().articles, article_id)))


def _there() -> None:
    state = here().config.zendesk_help_center
    if state == "absent":
        raise Refusal(404, NO_ENDPOINT)
    if state == "forbidden":
        raise Refusal(403, FORBIDDEN)


def _article(one: Article) -> dict[str, Any]:
    main = _translation(one, one.translations[MAIN_LANGUAGE])
    shown: dict[str, Any] = {
        "id": one.id,
        "url": url(f"/api/v2/help_center/{main['locale']}/articles/{one.id}.json"),
        "html_url": main["html_url"],
        "author_id": desk().agent.id,
        "comments_disabled": False,
        "draft": main["draft"],
        "promoted": False,
        "position": 0,
        "vote_sum": 0,
        "vote_count": 0,
        "section_id": 28523491991699,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "name": main["title"],
        "title": main["title"],
        "source_locale": main["locale"],
        "locale": main["locale"],
        "outdated": False,
        "outdated_locales": [],
        "edited_at": main["updated_at"],
        "user_segment_id": SEGMENTS.get(one.state),
        "permission_group_id": 28523398501139,
        "content_tag_ids": [],
        "label_names": [],
        "body": main["body"],
    }
    if "translations" in request.args.get("include", "").split(","):
        shown["translations"] = [_translation(one, each) for each in one.translations.values()]
    return shown


def _translation(one: Article, each: Translation) -> dict[str, Any]:
    locale = LOCALES.get(each.language, each.language)
    return {
        "id": each.id,
        "url": url(f"/api/v2/help_center/articles/{one.id}/translations/{locale}.json"),
        "html_url": url(f"/hc/{locale}/articles/{one.id}"),
        "source_id": one.id,
        "source_type": "Article",
        "locale": locale,
        "title": each.title,
        "body": each.body,
        "outdated": False,
        "draft": each.draft,
        "hidden": False,
        "created_at": iso(one.created_at),
        "updated_at": iso(each.updated_at),
        "updated_by_id": desk().agent.id,
        "created_by_id": desk().agent.id,
    }
