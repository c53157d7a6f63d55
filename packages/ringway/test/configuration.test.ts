import { join } from 'node:path';
import { expect, test } from 'vitest';
import { configurationMarkdown } from '../src/configuration.ts';

test('docs/configuration.md is what the settings’ own tables say; vitest -u writes it anew', async () => {
  await expect(configurationMarkdown()).toMatchFileSnapshot(
    join(import.meta.dirname, '../../../docs/configuration.md'),
  );
});
