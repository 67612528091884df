import type { Locator } from '@playwright/test';

import { expect, hydrated, test } from './fixtures';

const RESOURCES = [
  { name: 'intents', row: 'intent', shows: ['Order enquiry', 'subject', 'active'] },
  { name: 'rules', row: 'rule', shows: ['Order enquiry', 'The sender email must be found in Shop database', 'reject'] },
  { name: 'datasources', row: 'datasource', shows: ['Shop database', 'Database', 'shop_sqlite'] },
  { name: 'configs', row: 'config', shows: ['order_api', 'http (rest)', '/demo-api/acme_corp', 'token, kept secret'] },
  { name: 'tenants', row: 'tenant-link', shows: ['Acme Corporation', 'acme_corp'] },
];

const DECISIONS = { accepted: 'Accepted', rejected: 'Rejected', review: 'Review' };

/** Follows a number of the dashboard, which is not 0, to what it counts. */
async function follow(card: Locator): Promise<number> {
  const count = Number(/\d+/.exec(await card.innerText())?.[0]);
  expect(count).toBeGreaterThan(0);
  await card.click();
  return count;
}

test('each resource has a list with as many rows as the dashboard counts', async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
  for (const { name, row, shows } of RESOURCES) {
    await test.step(name, async () => {
      const count = await follow(page.getByTestId(`count-${name}`));
      const rows = page.getByTestId(row);
      await expect(rows).toHaveCount(count);
      const found = shows.reduce((left, text) => left.filter({ hasText: text }), rows);
      await expect(found.first()).toBeVisible();
      await page.goBack();
    });
  }
});

test('the dashboard’s counts of messages lead to these messages', async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
  for (const [decision, words] of Object.entries(DECISIONS)) {
    await test.step(decision, async () => {
      const count = await follow(page.getByTestId(`count-${decision}`));
      await expect(page).toHaveURL(new RegExp(`/messages\\?decision=${decision}$`));
      await expect(page.getByLabel('Decision')).toHaveValue(decision);
      const rows = page.getByTestId('message-row');
      await expect(rows).toHaveCount(count);
      await expect(rows.filter({ has: page.locator('.badge', { hasText: words }) })).toHaveCount(count);
      await page.goBack();
    });
  }
});

test('an intent shows its conditions, extractors and rules', async ({ page }) => {
  await page.goto('/t/acme_corp/intents');
  await hydrated(page);
  await page.getByRole('link', { name: 'Order enquiry' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Order enquiry');
  await expect(page.getByRole('heading', { name: /^one of these holds/ })).toBeVisible();
  await expect(page.getByText('order_number', { exact: true }).first()).toBeVisible();
  await expect(page.getByTestId('rule')).toHaveCount(5);
  await expect(page.getByTestId('rule').first()).toContainText('{{sender_email}}');
  await page.getByRole('link', { name: 'Its messages' }).click();
  await expect(page.getByTestId('message-row')).toHaveCount(4);
  await expect(page.getByLabel('Intent').locator('option:checked')).toHaveText('Order enquiry');
});

test('a screen holds a dozen messages', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const rows = page.getByTestId('message-row');
  await expect(rows).toHaveCount(12);
  const boxes = await rows.evaluateAll((all) => all.map((row) => row.getBoundingClientRect().toJSON() as DOMRect));
  expect(Math.max(...boxes.map(({ height }) => height)), 'a row of two lines').toBeLessThanOrEqual(46);
  expect(Math.max(...boxes.map(({ bottom }) => bottom)), 'none is to be scrolled to').toBeLessThanOrEqual(page.viewportSize()!.height);
});
