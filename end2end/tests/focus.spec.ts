// What has the focus is in sight: no bar lies over it (WCAG 2.4.11); and what had it hands it on.
import type { Page } from '@playwright/test';

import { TENANT, send } from './arrivals';
import { named, only } from './demo';
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

test('zoomed to 400 %, the bar of what is chosen covers nothing', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 2);
  await page.setViewportSize({ width: 320, height: 256 });
  await page.goto(`/t/${TENANT}/messages?q=${mark}`);
  await hydrated(page);
  // What lies beneath something is not pressed.
  for (const i of [0, 1]) await page.getByTestId('choose').nth(i).check({ timeout: 5_000 });
  await expect(page.getByTestId('bulk')).toContainText('2 chosen');
  for (let i = 0; i < 2; i += 1) {
    await page.keyboard.press('k');
    expect.soft(await hidden(page, '.bulk'), `row ${i + 1}`).toBe(0);
  }
  await page.getByTestId('bulk-rerun').click();
  const notice = page.getByTestId('toast').first();
  await expect(notice).toBeInViewport();
  await page.getByTestId('choose').first().check({ timeout: 5_000 });
  await expect(page.getByTestId('bulk')).toBeVisible();
  await expect(notice, 'it is reached beside the bar').toBeInViewport();
});

test.describe('what could not be had', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('leaves the keyboard at the content once it is there', async ({ page }) => {
    await page.goto('/t/acme_corp');
    await hydrated(page);
    const address = '**/ui/intents/list';
    await page.route(address, (route) => route.fulfill({ status: 503 }));
    await page.getByTestId('sidebar').getByRole('link', { name: 'Intents' }).click();
    await expect(page.getByTestId('problem')).toBeVisible();
    await page.unroute(address);
    await page.getByTestId('problem').getByRole('link', { name: 'Try again' }).press('Enter');
    await expect(page.getByTestId('intent').first()).toBeVisible();
    await expect(page.locator('#main')).toBeFocused();
  });
});

test('who names a view finds the keyboard in the field for its name', async ({ page }) => {
  await page.goto(`/t/${TENANT}/messages?delivery=pending`);
  await hydrated(page);
  await page.getByText('Save this view').press('Enter');
  await expect(page.getByTestId('view-name')).toBeFocused();
});

test('a view that comes or goes leaves the keyboard at the content', { tag: '@desktop' }, async ({ page }) => {
  await page.goto(`/t/${TENANT}/messages?delivery=failed`);
  await hydrated(page);
  await page.getByText('Save this view').click();
  await page.getByTestId('view-name').fill('Handed on');
  await page.getByTestId('view-name').press('Enter');
  const view = page.getByTestId('view').filter({ hasText: 'Handed on' });
  await expect(view).toBeVisible();
  await expect(page.locator('#main')).toBeFocused();
  await view.getByRole('button', { name: 'Delete the view Handed on' }).press('Enter');
  await expect(view).toHaveCount(0);
  await expect(page.locator('#main')).toBeFocused();
});

test('a question goes by Tab from Cancel to what it asks, and closes when the keyboard leaves it', { tag: '@desktop' }, async ({ page, request }) => {
  await page.goto(`/t/acme_corp/datasources/${await named(request, 'datasources', 'Shop database', 'datasource_id')}`);
  await hydrated(page);
  await page.getByTestId('delete').press('Enter');
  const question = page.getByRole('dialog', { name: 'Delete the datasource Shop database?' });
  await expect(question.getByRole('button', { name: 'Cancel' })).toBeFocused();
  // A click on its words leaves nothing.
  await question.getByText('Delete the datasource').click();
  await expect(question).toBeVisible();
  await question.getByRole('button', { name: 'Cancel' }).focus();
  const links = await question.getByRole('link').count();
  for (let i = 0; i <= links; i += 1) await page.keyboard.press('Tab');
  await expect(question.getByTestId('delete-for-good')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(question).toBeHidden();
});
