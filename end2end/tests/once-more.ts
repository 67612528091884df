// What is not to happen is waited for by what comes after it.
import type { Page } from '@playwright/test';

import { expect } from './fixtures';

/** Has the page ask the server once more: what its answers before brought about has come about by then. */
export async function askOnceMore(page: Page): Promise<void> {
  const palette = page.getByRole('dialog', { name: 'Go to' });
  const answered = page.waitForResponse('**/ui/names/list');
  await page.keyboard.press('ControlOrMeta+k');
  await (await answered).finished();
  await expect(palette).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(palette).toBeHidden();
}
