"""`carrel settings`: read and change what is kept in the profile's settings file."""

import click

from app import settings as all_settings
from app.cli.options import Command, run_of
from app.errors import SettingError, StorageError
from app.settings import Setting, Settings, Value


@click.command("settings", cls=Command)
@click.argument("name", required=False)
@click.argument("value", required=False)
@click.pass_context
def settings(context: click.Context, name: str | None, value: str | None) -> int:
    """Show all settings, show the one called NAME, or set it to VALUE.

    A changed setting holds from the next start on.
    """
    run = run_of(context)
    kept = Settings(run.profile.settings)
    for problem in kept.problems:
        run.output.remark(f"Ignored: {problem}")
    if name is not None and name not in all_settings.ALL:
        raise SettingError(f"There is no setting called {name}.")
    if name is not None and value is not None:
        run.profile.create()
        try:
            kept.choose(name, all_settings.ALL[name].parse(value))
        except OSError as error:
            raise StorageError(f"The settings could not be written: {error.strerror}.") from error
    shown = [all_settings.ALL[name]] if name is not None else list(all_settings.ALL.values())
    run.output.data(
        {"settings": {setting.name: _described(setting, kept[setting.name]) for setting in shown}}
    )
    for setting in shown:
        if name is not None:
            run.output.text(_typed(kept[setting.name]))
        else:
            run.output.text(f"{setting.name} = {_typed(kept[setting.name])}")
            unit = f" [{setting.unit}]" if setting.unit else ""
            run.output.text(f"    {setting.help}{unit}", dim=True)
    return 0


def _typed(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _described(setting: Setting, value: Value) -> dict[str, object]:
    return {
        "value": value,
        "default": setting.default,
        "help": setting.help,
        "unit": setting.unit,
        "choices": setting.choices,
        "low": setting.low,
        "high": setting.high,
    }
