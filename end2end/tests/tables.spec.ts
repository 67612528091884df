// No table is cut off, however wide the page is: where one has no room, its rows are cards.
import type { APIRequestContext, Page } from '@playwright/test';

import { invite, only } from './demo';
import { expect, hydrated, test } from './fixtures';

const LISTS: Record<string, (request: APIRequestContext) => string | Promise<string>> = {
  dashboard: () => '/t/acme_corp',
  messages: () => '/t/acme_corp/messages',
  intents: () => '/t/acme_corp/intents',
  intent: async (request) => `/t/acme_corp/intents/${await only(request, 'intents', 'q=Order+enquiry', 'intent_id')}`,
  rules: () => '/t/acme_corp/rules',
  routes: () => '/t/acme_corp/routes',
  datasources: () => '/t/acme_corp/datasources',
  configs: () => '/t/acme_corp/configs',
  files: () => '/t/acme_corp/files',
  mailboxes: () => '/t/acme_corp/mailboxes',
  members: () => '/t/acme_corp/members',
  keys: () => '/t/acme_corp/keys',
  audit: () => '/t/acme_corp/audit',
  tenants: () => '/tenants',
};

/** Around each width from which a table has room, and where most screens are. */
const WIDTHS = [768, 900, 1023, 1024, 1120, 1216, 1280];

/** What of the tables reaches beyond their boxes. */
function cutOff(page: Page): Promise<string[]> {
  return page.locator('.table-box').evaluateAll((boxes) =>
    boxes.flatMap((box) => {
      const edge = box.getBoundingClientRect().right + 1;
      return [...box.querySelectorAll('table, td, td *:not(.visually-hidden)')]
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > edge)
        .map((element) => element.outerHTML.slice(0, 120));
    }),
  );
}

test.beforeAll(async ({ request }) => {
  const made = await request.post('/api/api-keys?tenant_id=acme_corp', {
    data: { name: `Warehouse ${Date.now()}`, role: 'operator', expires_at: '2099-01-01T00:00:00Z' },
  });
  expect(made.status()).toBe(201);
  await invite(request, 'tables@acme.example');
});

test('a rule as a card says what it demands first, in few lines, and is a row all the same', { tag: '@phone' }, async ({ page }) => {
  await page.goto('/t/acme_corp/rules');
  await hydrated(page);
  const table = page.getByRole('table', { name: 'Validation rules' });
  await expect(table.getByRole('columnheader')).toHaveText(['Intent', 'Rule', 'Datasource', 'On failure', 'Priority', 'State']);
  const cells = table.getByTestId('rule').first().getByRole('cell');
  await expect(cells).toHaveCount(6);
  const [intent, rule, datasource, onFail, priority, state] = await cells.evaluateAll((all) =>
    all.map((cell) => {
      const { top, height } = cell.getBoundingClientRect();
      return { top, middle: top + height / 2 };
    }),
  );
  expect(rule.top).toBeLessThan(intent.top);
  for (const [one, other] of [[intent, datasource], [onFail, state], [onFail, priority]]) {
    expect(Math.abs(one.middle - other.middle), 'in one line').toBeLessThan(4);
  }
  expect(onFail.top).toBeGreaterThan(intent.top);
});

for (const [name, address] of Object.entries(LISTS)) {
  test(`no table of ${name} is cut off`, { tag: '@desktop' }, async ({ page, request }) => {
    await page.goto(await address(request));
    await hydrated(page);
    await expect(page.getByTestId('loading')).toHaveCount(0);
    await expect(page.locator('.table-box').first(), 'there is one').toBeVisible();
    const { height } = page.viewportSize()!;
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height });
      expect.soft(await cutOff(page), `at ${width} px`).toEqual([]);
    }
  });
}
