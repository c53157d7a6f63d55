import { expect, it } from 'vitest';
import { launchChromium } from '../src/chromium.ts';

it('Chromium starts headless and runs a page', async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.setContent('<title>hello</title>');
    expect(await page.title()).toBe('hello');
  } finally {
    await browser.close();
  }
});
