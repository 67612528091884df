// What has the focus is in sight: no bar lies over it (WCAG 2.4.11).
import type { Page } from '@playwright/test';

import { only } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

/** What of the element that has the focus lies beneath the bar, in pixels; none where it is the bar's own. */
function hidden(page: Page, bar: string): Promise<number> {
  return page.evaluate((bar) => {
    const [focused, over] = [document.activeElement!, document.querySelector(bar)!];
    if (over.contains(focused)) return 0;
    return Math.max(0, Math.round(focused.getBoundingClientRect().bottom - over.getBoundingClientRect().top));
  }, bar);
}

test('no field of an editor hides beneath its save bar', async ({ page, request }) => {
  const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  await page.getByTestId('name').focus();
  for (let i = 0; i < 60; i += 1) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => !document.activeElement?.closest('.editor'))) break;
    expect.soft(await hidden(page, '.save-bar'), await page.evaluate(() => document.activeElement!.outerHTML.slice(0, 120))).toBe(0);
  }
});

test('who saves keeps the focus, and saves once', async ({ page, request }, { project }) => {
  const name = `Saved once ${project.name}`;
  const made = await request.post('/api/intents?tenant_id=acme_corp', { data: { name } });
  expect(made.status()).toBe(201);
  const id = (await made.json()).intent_id;
  await page.goto(`/t/acme_corp/intents/${id}/edit`);
  await hydrated(page);
  await page.getByTestId('name').fill(`${name} more`);
  const { asked, answer } = await hold(page, '**/ui/intents/save');
  const save = page.getByTestId('save');
  await save.press('Enter');
  await expect(save).toHaveAttribute('aria-busy', 'true');
  // A browser takes the focus from what is disabled when it next lays out the page.
  const isFocused = await save.evaluate(async (save) => {
    for (let i = 0; i < 2; i += 1) await new Promise(requestAnimationFrame);
    return document.activeElement === save;
  });
  expect(isFocused).toBe(true);
  await page.keyboard.press('Enter');
  answer();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} more`);
  expect(asked()).toBe(1);
  const removed = await request.delete(`/api/intents/${id}?tenant_id=acme_corp`, { headers: { 'if-match': '*' } });
  expect(removed.status()).toBe(204);
});

test('no row hides beneath the bar of what is chosen', async ({ page }) => {
  await page.setViewportSize({ width: page.viewportSize()!.width, height: 600 });
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await page.getByTestId('choose').first().check();
  await expect(page.getByTestId('bulk')).toBeVisible();
  for (let i = 0; i < 12; i += 1) {
    await page.keyboard.press('j');
    expect.soft(await hidden(page, '.bulk'), `row ${i + 1}`).toBe(0);
  }
});
