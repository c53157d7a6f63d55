import type { Setting } from './setting.ts';
import type { SettingsTable } from './settings.ts';

/** The table as a block of text for `--help`: name and default, then what it is for and what it takes. */
export function settingsHelp(table: SettingsTable): string {
  const rows = Object.values(table);
  return rows
    .map((row) => {
      const note = row.required
        ? ' (required)'
        : row.fallbackText === undefined
          ? ''
          : ` (default ${row.fallbackText || 'empty'})`;
      const file = row.secret ? `; also as ${row.name}_FILE` : '';
      return `  ${row.name}${note}\n      ${row.help} Takes ${takes(row)}${file}.`;
    })
    .join('\n');
}

/** The table as Markdown, for docs/configuration.md. */
export function settingsMarkdown(table: SettingsTable): string {
  const head = '| setting | default | takes | what for |\n|---|---|---|---|\n';
  const rows = Object.values(table).map((row) => {
    const fallback = row.required ? '*required*' : row.fallbackText ? `\`${row.fallbackText}\`` : '';
    const names = row.secret ? `\`${row.name}\`<br>\`${row.name}_FILE\`` : `\`${row.name}\``;
    const cells = [names, fallback, takes(row), row.reload ? `${row.help} Reread on SIGHUP.` : row.help];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `${head}${rows.join('\n')}\n`;
}

function takes(row: Setting<unknown>): string {
  return row.unit === undefined ? row.expected : `${row.expected}, in ${row.unit}`;
}
