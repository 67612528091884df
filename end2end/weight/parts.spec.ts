// The application comes in parts, and a part may not come: the server is away, too busy, or of another build since.
import { expect, hydrated, test } from '../tests/fixtures';
import { look } from '../tests/look';

const PARTS = /\/pkg\/[0-9a-f]+\/(split|chunk)_[^/]*\.wasm$/;

test.use({ expectedFaults: /ERR_FAILED|Failed to fetch|split module|TypeError/ });

test('a page whose part does not come says so, and can be had once it does', async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
  await page.route(PARTS, (route) => route.abort());
  await page.getByRole('link', { name: 'Intents', exact: true }).first().click();
  const notice = page.getByTestId('not-fetched');
  await expect(notice).toBeVisible();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Not fetched');
  await expect(page).toHaveTitle(/^Not fetched/);
  await look(page, 'not-fetched');
  await expect(page, 'it is where it was to lead').toHaveURL(/\/intents$/);
  await page.getByRole('link', { name: 'Dashboard', exact: true }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: 'Dashboard' }), 'the rest goes on').toBeVisible();
  await page.getByRole('link', { name: 'Intents', exact: true }).first().click();
  await expect(notice).toBeVisible();
  await page.unroute(PARTS);
  await notice.getByRole('button').click();
  await expect(page.getByRole('heading', { level: 1, name: 'Intents' })).toBeVisible();
  await hydrated(page);
});

test('a first page whose part does not come can be read', async ({ page }) => {
  await page.route(PARTS, (route) => route.abort());
  const missed = page.waitForEvent('requestfailed', (request) => PARTS.test(request.url()));
  await page.goto('/t/acme_corp/intents');
  await missed;
  await expect(page.getByRole('heading', { level: 1, name: 'Intents' })).toBeVisible();
  await expect(page.getByTestId('not-fetched')).toHaveCount(0);
  await page.getByRole('link', { name: 'Order enquiry' }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: 'Order enquiry' }), 'as without WebAssembly').toBeVisible();
});
