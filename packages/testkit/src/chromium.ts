import { accessSync, constants } from 'node:fs';
import type { Browser } from 'playwright-core';

/** The Chromium of the tests: RINGWAY_TEST_CHROMIUM, else Debian's. */
export function chromiumBinary(): string {
  const path = process.env['RINGWAY_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
  try {
    accessSync(path, constants.X_OK);
  } catch (cause) {
    throw new Error(
      `no Chromium at ${path}: run scripts/setup.sh, or set RINGWAY_TEST_CHROMIUM to the path of one`,
      { cause },
    );
  }
  return path;
}

/** Starts a headless Chromium that calls nobody by itself. Close it, or `await using` it. */
export async function launchChromium(...args: string[]): Promise<Browser> {
  // Loaded here: most tests have no use for a browser.
  const { chromium } = await import('playwright-core');
  return chromium.launch({
    executablePath: chromiumBinary(),
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
  });
}
