"""Freshdesk's knowledge base: two categories, a folder for each kind of reader, and translations."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue

from sandbox import freshdesk_shapes as shapes
from sandbox import markup
from sandbox.freshdesk import ACCESS_DENIED, Refusal, desk, route
from sandbox.knowledge import CUSTOMERS, DRAFT, INTERNAL, MAIN_LANGUAGE, PUBLIC, Article, Translation
from sandbox.records import iso
from sandbox.state import here

HELP, TEAM = 67000173603, 67000173646
CATEGORIES = {HELP: "Help", TEAM: "For the team"}
# id -> name, category, parent folder, visibility (1 everybody, 2 signed in, 3 agents)
FOLDERS: dict[int, tuple[str, int, int | None, int]] = {
    67000255075: ("Using Lumenly", HELP, None, 1),
    67000255078: ("Developers", HELP, 67000255075, 1),
    67000255081: ("For customers", HELP, None, 2),
    67000255084: ("Playbooks", TEAM, None, 3),
}
USING, DEVELOPERS, SIGNED_IN, PLAYBOOKS = FOLDERS
HOMES = {PUBLIC: USING, DRAFT: USING, CUSTOMERS: SIGNED_IN, INTERNAL: PLAYBOOKS}
DEVELOPER_WORDS = ("API", "ebhook")


@route("/solutions/categories")
def list_categories() -> ResponseReturnValue:
    """List the categories."""
    _there()
    return shapes.listing(list(CATEGORIES), _category)


@route("/solutions/categories/<int:category_id>/folders")
def list_folders(category_id: int) -> ResponseReturnValue:
    """List the folders that stand directly in a category."""
    _there()
    if category_id not in CATEGORIES:
        raise Refusal(404)
    found = [number for number, (_, category, parent, _v) in FOLDERS.items() if category == category_id and not parent]
    return shapes.listing(found, _folder)


@route("/solutions/folders/<int:folder_id>/subfolders")
def list_subfolders(folder_id: int) -> ResponseReturnValue:
    """List the folders in a folder."""
    _there()
    if folder_id not in FOLDERS:
        raise Refusal(404)
    return shapes.listing([number for number, folder in FOLDERS.items() if folder[2] == folder_id], _folder)


@route("/solutions/folders/<int:folder_id>/articles")
def list_articles(folder_id: int) -> ResponseReturnValue:
    """List a folder's articles in the main language."""
    return _articles(folder_id, MAIN_LANGUAGE)


@route("/solutions/folders/<int:folder_id>/articles/<language>")
def list_translated(folder_id: int, language: str) -> ResponseReturnValue:
    """List those of a folder's articles that are there in a language."""
    if language not in languages():
        raise Refusal(404)
    return _articles(folder_id, language)


@route("/solutions/articles/<int:article_id>")
def show_article(article_id: int) -> ResponseReturnValue:
    """Show an article."""
    _there()
    if article_id not in desk().articles:
        raise Refusal(404)
    one = desk().articles[article_id]
    return jsonify(_article(one, one.translations[MAIN_LANGUAGE]))


def languages() -> list[str]:
    """Return the languages the articles are there in, the main one first."""
    found = {language for one in desk().articles.values() for language in one.translations}
    return [MAIN_LANGUAGE, *sorted(found - {MAIN_LANGUAGE})]


def _there() -> None:
    state = here().config.freshdesk_solutions
    if state == "absent":
        raise Refusal(404)
    if state == "forbidden":
        raise Refusal(403, ACCESS_DENIED)


def _articles(folder_id: int, language: str) -> ResponseReturnValue:
    _there()
    if folder_id not in FOLDERS:
        raise Refusal(404)
    mine = [one for one in desk().articles.values() if _home(one) == folder_id and language in one.translations]
    return shapes.listing(mine, lambda one: _article(one, one.translations[language]))


def _home(one: Article) -> int:
    title = one.translations[MAIN_LANGUAGE].title
    developers = one.state == PUBLIC and any(word in title for word in DEVELOPER_WORDS)
    return DEVELOPERS if developers else HOMES[one.state]


def _category(number: int) -> dict[str, Any]:
    made = iso(desk().bot.created_at)
    return {
        "id": number,
        "name": CATEGORIES[number],
        "description": None,
        "created_at": made,
        "updated_at": made,
        "visible_in_portals": [67000039685],
        "icon": {},
    }


def _folder(number: int) -> dict[str, Any]:
    name, category, parent, visibility = FOLDERS[number]
    made = iso(desk().bot.created_at)
    return {
        "id": number,
        "name": name,
        "description": None,
        "articles_count": sum(_home(one) == number for one in desk().articles.values()),
        "created_at": made,
        "updated_at": made,
        "icon_url": None,
        "parent_folder_id": parent,
        "sub_folders_count": sum(folder[2] == number for folder in FOLDERS.values()),
        "hierarchy": [_level(0, "category", category, CATEGORIES[category], MAIN_LANGUAGE)],
        "visibility": visibility,
    }


def _article(one: Article, each: Translation) -> dict[str, Any]:
    home = _home(one)
    name, category, _, _ = FOLDERS[home]
    return {
        "id": one.id,
        "type": 1,
        "status": 1 if each.draft else 2,
        "agent_id": desk().agent.id,
        "created_at": iso(one.created_at),
        "category_id": category,
        "folder_id": home,
        "title": each.title,
        "updated_at": iso(each.updated_at),
        "description": each.body,
        "description_text": markup.to_text(each.body),
        "seo_data": {"meta_title": "", "meta_description": ""},
        "tags": [],
        "attachments": [],
        "cloud_files": [],
        "thumbs_up": 0,
        "thumbs_down": 0,
        "hits": 0,
        "suggested": 0,
        "feedback_count": 0,
        "hierarchy": [
            _level(0, "category", category, CATEGORIES[category], each.language),
            _level(1, "folder", home, name, each.language),
        ],
    }


def _level(level: int, kind: str, number: int, name: str, language: str) -> dict[str, Any]:
    return {"level": level, "type": kind, "data": {"id": number, "name": name, "language": language}}
