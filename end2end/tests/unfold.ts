// On a narrow page the filters of a list that has many are folded up; on a wide one those of the messages that are seldom set.
import type { Page } from '@playwright/test';

/** Unfolds them where they are. */
export async function unfold(page: Page): Promise<void> {
  const fold = page.getByTestId('filters');
  const isFolded = (await fold.isVisible()) && (await fold.getAttribute('open')) === null;
  if (isFolded) await fold.locator('summary').click();
}
