// A look at a page in the middle of a test.
import type { Page } from '@playwright/test';

import { axe, isStill } from './accessible';
import { expect } from './fixtures';

/** Accessible in light and dark, no wider than the screen, and kept as a picture. */
export async function look(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await isStill(page);
    const { violations } = await axe(page).withTags(['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']).analyze();
    expect.soft(violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`)), `${name} in ${colorScheme}`).toEqual([]);
    await page.screenshot({ path: `test-results/screens/${name}-${colorScheme}.png`, fullPage: true });
  }
  const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect.soft(wide, `${name} is no wider than the screen`).toBeLessThanOrEqual(width);
}
