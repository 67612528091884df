import { expect, hydrated, test } from './fixtures';

test.beforeEach(async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
});

const RESOURCES = [
  { name: 'intents', row: 'intent', shows: ['Order enquiry', 'subject', 'active'] },
  { name: 'rules', row: 'rule', shows: ['Order enquiry', 'The sender email must be found in Shop database', 'reject'] },
  { name: 'datasources', row: 'datasource', shows: ['Shop database', 'Database', 'shop_sqlite'] },
  { name: 'configs', row: 'config', shows: ['order_api', 'http (rest)', '/demo-api/acme_corp', 'token, kept secret'] },
  { name: 'tenants', row: 'tenant-link', shows: ['Acme Corporation', 'acme_corp'] },
];

for (const { name, row, shows } of RESOURCES) {
  test(`${name}: as many rows as the dashboard counts`, async ({ page }) => {
    const card = page.getByTestId(`count-${name}`);
    const count = Number(/\d+/.exec(await card.innerText())?.[0]);
    expect(count).toBeGreaterThan(0);
    await card.click();
    const rows = page.getByTestId(row);
    await expect(rows).toHaveCount(count);
    const found = shows.reduce((left, text) => left.filter({ hasText: text }), rows);
    await expect(found.first()).toBeVisible();
  });
}

const DECISIONS = { accepted: 'Accepted', rejected: 'Rejected', review: 'Review' };

for (const [decision, words] of Object.entries(DECISIONS)) {
  test(`messages: those that are ${decision}, as the dashboard counts them`, async ({ page }) => {
    const card = page.getByTestId(`count-${decision}`);
    const count = Number(/\d+/.exec(await card.innerText())?.[0]);
    expect(count).toBeGreaterThan(0);
    await card.click();
    await expect(page).toHaveURL(new RegExp(`/messages\\?decision=${decision}$`));
    const rows = page.getByTestId('message-row');
    await expect(rows.filter({ has: page.locator('.badge', { hasText: words }) })).toHaveCount(count);
    await expect(rows).toHaveCount(count);
    await expect(page.getByLabel('Decision')).toHaveValue(decision);
  });
}

test('an intent shows its conditions, extractors and rules', async ({ page }) => {
  await page.goto('/t/acme_corp/intents');
  await hydrated(page);
  await page.getByRole('link', { name: 'Order enquiry' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Order enquiry');
  await expect(page.getByText('one of these holds')).toBeVisible();
  await expect(page.getByRole('cell', { name: 'order_number', exact: true })).toBeVisible();
  await expect(page.getByTestId('rule')).toHaveCount(5);
  await expect(page.getByTestId('rule').first()).toContainText('{{sender_email}}');
  await page.getByRole('link', { name: 'Its messages' }).click();
  await expect(page.getByTestId('message-row')).toHaveCount(4);
  await expect(page.getByLabel('Intent')).toHaveText(/Order enquiry/);
});
