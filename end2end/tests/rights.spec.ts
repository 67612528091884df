// What one may do is asked for once a tenant is entered. Where that fails the page says so, and can ask again.
import { expect, hydrated, test } from './fixtures';

test.use({ expectedFaults: /status of 503/ });

test('a page that could not learn what its reader may do says so, and asks again', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/');
  await hydrated(page);
  const busy = { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'As busy as can be' };
  await page.route('**/ui/me', (route) => route.fulfill({ status: 503, json: busy }), { times: 1 });
  await page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' }).click();
  const told = page.getByTestId('rights-unknown');
  await expect(told).toContainText('As busy as can be');
  const settings = page.getByRole('navigation').getByRole('link', { name: 'Settings' });
  await expect(settings).toHaveCount(0);

  await told.getByRole('link', { name: 'Try again' }).click();
  await expect(settings).toBeVisible();
  await expect(told).toHaveCount(0);
  await expect(page.locator('#main'), 'the keyboard goes on there').toBeFocused();
});
