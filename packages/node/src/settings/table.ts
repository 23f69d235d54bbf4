import { display } from './environment';
import { otlpName, OTLP_SETTINGS } from './otlp-settings';
import type { Setting } from './kinds';
import { SETTINGS } from './settings';

/** The table of all variables, in Markdown, as it stands in the README. */
export function settingsTable(): string {
  const otlp = Object.values<Setting<unknown>>(OTLP_SETTINGS).map((setting) =>
    row(setting, otlpName(setting)),
  );
  const others = Object.values<Setting<unknown>>(SETTINGS).map((setting) => row(setting, setting.env));
  return ['| variable | default | what it does |', '| --- | --- | --- |', ...others, ...otlp].join('\n');
}

function row(setting: Setting<unknown>, name: string): string {
  const said = display(setting.fallback, setting);
  // A default in words brings its own code marks.
  const fallback = said === setting.shown ? said : `\`${said}\``;
  return `| \`${name}\` | ${fallback} | ${setting.help} |`;
}
