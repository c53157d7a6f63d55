import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// Tests resolve workspace packages to their source, so that no build comes before them.
const conditions = ['@ringway/source'];
const ssr = { resolve: { conditions, externalConditions: conditions } };

// The processes that tests start are compiled once.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/ringway-testkit');

export default defineConfig({
  test: {
    // most of the time of these tests is waiting: two at a time on a machine with two cores, too
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // files leave nothing behind; to load all modules anew for each would take longer than most of them
    isolate: false,
    projects: [
      {
        resolve: { conditions },
        ssr,
        test: {
          name: 'unit',
          include: ['packages/*/test/**/*.test.ts', 'bench/test/**/*.test.ts'],
          testTimeout: 20_000,
          hookTimeout: 30_000,
        },
      },
      {
        resolve: { conditions },
        ssr,
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 90_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
