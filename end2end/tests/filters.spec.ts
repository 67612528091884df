import { expect, hydrated, test } from './fixtures';

test('filters stay in the address, over a reload and the way back', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const rows = page.getByTestId('message-row');
  await expect(rows).toHaveCount(12);

  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(page).toHaveURL(/[?&]decision=rejected(&|$)/);
  await expect(rows).toHaveCount(4);

  await page.getByLabel('Intent').selectOption('Supplier invoice');
  await expect(page).toHaveURL(/[?&]intent=\d+/);
  await expect(rows).toHaveCount(2);

  await page.getByRole('searchbox', { name: 'Search' }).fill('Brightbox');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/[?&]q=Brightbox/);
  await expect(rows).toHaveCount(1);

  await page.reload();
  await hydrated(page);
  await expect(rows).toHaveCount(1);
  await expect(page.getByLabel('Decision')).toHaveValue('rejected');
  await expect(page.getByLabel('Intent').locator('option:checked')).toHaveText('Supplier invoice');
  await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('Brightbox');

  await rows.getByRole('link').click();
  await expect(page.getByTestId('message')).toBeVisible();
  await page.goBack();
  await expect(rows).toHaveCount(1);
  await page.goBack();
  await expect(rows).toHaveCount(2);
  await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('');

  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(rows).toHaveCount(12);
  await expect(page.getByLabel('Decision')).toHaveValue('');
});

test('an intent that is not known any more goes on narrowing the list', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?intent=987654');
  await hydrated(page);
  await expect(page.getByLabel('Intent')).toHaveValue('987654');
  await page.getByLabel('Decision').selectOption('Rejected');
  await expect(page).toHaveURL(/[?&]decision=rejected(&|$)/);
  await expect(page).toHaveURL(/[?&]intent=987654(&|$)/);
});

test('a search that finds nothing says so, and leads back', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages?q=zeppelin');
  await hydrated(page);
  await expect(page.getByTestId('empty')).toContainText('No message fits');
  await page.getByTestId('empty').getByRole('link', { name: 'All messages' }).click();
  await expect(page.getByTestId('message-row')).toHaveCount(12);
});

test('what is searched for is a value, not a pattern, and not markup', { tag: '@desktop' }, async ({ page }) => {
  for (const text of ['%', '_', "' OR 1=1 --", '<script>alert(1)</script>']) {
    await page.goto(`/t/acme_corp/messages?${new URLSearchParams({ q: text })}`);
    await hydrated(page);
    await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue(text);
    await expect(page.getByTestId('empty')).toBeVisible();
  }
});
