// What one may do is asked for once a tenant is entered. Where that fails the page says so, and can ask again.
import { expect, hydrated, test } from './fixtures';
import { look } from './look';

test.use({ expectedFaults: /status of 503/ });

test('a page that could not learn what its reader may do says so, and asks again', async ({ page }, { project }) => {
  await page.goto('/');
  await hydrated(page);
  const busy = { type: 'about:blank', title: 'Service Unavailable', status: 503, detail: 'As busy as can be' };
  await page.route('**/ui/me', (route) => route.fulfill({ status: 503, json: busy }), { times: 1 });
  await page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' }).click();
  const told = page.getByTestId('rights-unknown');
  await expect(told).toContainText('As busy as can be');
  await look(page, `${project.name}-rights-unknown`);
  const settings = page.getByRole('link', { name: 'Settings', exact: true, includeHidden: true });
  await expect(settings).toHaveCount(0);

  await told.getByRole('link', { name: 'Try again' }).click();
  await expect(settings).toHaveCount(1);
  await expect(told).toHaveCount(0);
  await expect(page.locator('#main'), 'the keyboard goes on there').toBeFocused();
});
