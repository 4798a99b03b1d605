"""The control API's part for the help centres: add, change and delete articles as an author would."""

from __future__ import annotations

from flask import jsonify
from flask.typing import ResponseReturnValue

from sandbox import knowledge
from sandbox.control import bp, given
from sandbox.desk import Desk
from sandbox.records import VENDORS
from sandbox.state import here


@bp.get("/articles/<vendor>")
def list_articles(vendor: str) -> ResponseReturnValue:
    """List the articles: id, state, title."""
    found = _desk(vendor).articles.values()
    main = knowledge.MAIN_LANGUAGE
    shown = [{"id": one.id, "state": one.state, "title": one.translations[main].title} for one in found]
    return jsonify(articles=shown)


@bp.post("/articles/<vendor>/<int:article_id>")
def change_article(vendor: str, article_id: int) -> ResponseReturnValue:
    """Change an article's state (public, draft, internal, customers), title or body."""
    articles = _desk(vendor).articles
    if article_id not in articles:
        return jsonify(error="no such article"), 404
    knowledge.change(articles[article_id], given())
    return "", 204


@bp.post("/articles/<vendor>")
def add_article(vendor: str) -> ResponseReturnValue:
    """Add an article: title, body and, where they are not the usual ones, language, state and translations."""
    desk = _desk(vendor)
    article = knowledge.add(desk.new_id, given())
    desk.articles[article.id] = article
    return jsonify(id=article.id), 201


@bp.delete("/articles/<vendor>/<int:article_id>")
def delete_article(vendor: str, article_id: int) -> ResponseReturnValue:
    """Delete an article."""
    if _desk(vendor).articles.pop(article_id, None) is None:
        return jsonify(error="no such article"), 404
    return "", 204


def _desk(vendor: str) -> Desk:
    found = next((desk for name, desk in here().desks.items() if name == vendor), None)
    if found is None:
        raise ValueError(f"vendor is {' or '.join(VENDORS)}")
    return found
