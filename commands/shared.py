"""What the commands share: settings checked before anything starts, and small ways of printing."""

from __future__ import annotations

from pathlib import Path

from triage.environment import Environment, read_environment, variables
from triage.settings import Settings
from triage.settings_file import load_settings


def checked_settings() -> tuple[Environment, Settings]:
    """Return environment and settings. Raises SettingsError naming file, line or variable, and the remedy."""
    environment = read_environment()
    return environment, load_settings(Path(environment.tandem_config), variables())
