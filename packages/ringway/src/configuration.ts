import { type SettingsTable, settingsMarkdown, sharedSettings } from '@ringway/service';
import { membershipSettings } from './membership-settings.ts';
import { ingestTable, locatorTable, nodeTable } from './tables.ts';

const HEAD = `# Configuration

\`ringway locator\`, \`ringway node\` and \`ringway ingest\` are set by environment variables; \`ringway locator --help\`
and so on print what stands here. This page is made from the same tables, and a test sees to it that it is up to date.

- A bad setting is named, with what was expected, and the process does not start (exit status 2). So is a variable that
  begins with \`RINGWAY_\` and that no command knows; settings of the other commands are passed over, so that one environment
  can serve a whole deployment. An empty variable counts as absent.
- Secrets can be given as a file: \`RINGWAY_TICKET_KEYS_FILE=/run/secrets/tickets\`.
- \`RINGWAY_SETTINGS_FILE\` names a file of further variables, one \`NAME=value\` a line; those of the process win.
- \`SIGHUP\` rereads that file, and what the tables mark so. When something is wrong with it, everything stays as it was,
  and the log says why.
- Durations are written \`500ms\`, \`10s\`, \`2m\`, \`1h\`; sizes \`64KiB\`, \`1MiB\`.
- Keys are secrets of at least 32 bytes (\`openssl rand -hex 32\`), never the same for two purposes. To change one: add the
  new one behind the old one everywhere, then move it to the front everywhere, then take the old one away; \`SIGHUP\` after
  each step.
- \`ringway ring\`, \`push\` and \`token\` read \`RINGWAY_CLUSTER\` and \`RINGWAY_CLUSTER_KEYS\`, \`ring --consul\` and
  \`ring --redis\` the settings of those, too. Without \`--locator\`, \`route\` asks the locator of \`LOCATOR_URL\`, and \`ring\`,
  \`push\`, \`group\` and \`drain\` that of \`LOCATOR_INTERNAL_URL\`: \`ringway dev\` prints both.
- \`ringway dev\` reads none of them but \`RINGWAY_AUTH_KEYS\` for \`--tokens\`, and says which it found and does not use.
`;

/** docs/configuration.md */
export function configurationMarkdown(): string {
  const both = { ...sharedSettings, ...membershipSettings };
  return [
    HEAD,
    `## Locator and node\n\n${settingsMarkdown(both)}`,
    `## Locator\n\n${settingsMarkdown(without(locatorTable, both))}`,
    `## Node\n\n${settingsMarkdown(without(nodeTable, both))}`,
    `## Ingest\n\n\`RINGWAY_CLUSTER\`, \`RINGWAY_LOG_LEVEL\` and those of Consul as above; the rest is:\n\n${settingsMarkdown(
      without(ingestTable, {
        ...membershipSettings,
        cluster: ingestTable.cluster,
        logLevel: ingestTable.logLevel,
      }),
    )}`,
  ].join('\n');
}

function without(table: SettingsTable, others: SettingsTable): SettingsTable {
  return Object.fromEntries(Object.entries(table).filter(([key]) => !Object.hasOwn(others, key)));
}
