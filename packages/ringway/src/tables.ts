import { ingestSettings } from '@ringway/ingest';
import { locatorSettings } from '@ringway/locator';
import { nodeSettings } from '@ringway/node';
import { settingNames } from '@ringway/service';
import { checkSettings, membershipSettings, sharingSettings } from './membership-settings.ts';

/** Everything that `ringway locator` reads from its environment. */
export const locatorTable = Object.freeze({ ...locatorSettings, ...membershipSettings, ...sharingSettings });

/** Everything that `ringway node` reads from its environment. */
export const nodeTable = Object.freeze({ ...nodeSettings, ...membershipSettings, ...checkSettings });

/** Everything that `ringway ingest` reads from its environment. */
export const ingestTable = Object.freeze({ ...ingestSettings, ...membershipSettings });

/** The names of all of them: one environment may serve a whole deployment. */
export const everySetting: readonly string[] = settingNames(locatorTable, nodeTable, ingestTable);
