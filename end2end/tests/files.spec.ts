// A file comes to a tenant by the screen, with and without WebAssembly, and goes again.
import { expect, hydrated, test } from './fixtures';

const customers = { name: 'regions.csv', mimeType: 'text/csv', buffer: Buffer.from('region,manager\nnorth,Ada\n') };

test('a file is uploaded, replaced and deleted @desktop', async ({ page }) => {
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  const shop = page.getByTestId('file').filter({ hasText: 'shop.sqlite' });
  await expect(shop).toContainText('shop_sqlite');
  await expect(shop.getByTestId('delete'), 'what is used stays').toHaveCount(0);

  const row = page.getByTestId('file').filter({ hasText: customers.name });
  for (const round of ['new', 'replaced']) {
    await test.step(round, async () => {
      await page.getByLabel('File', { exact: true }).setInputFiles(customers);
      await page.getByRole('button', { name: 'Upload' }).click();
      await expect(page.getByTestId('upload-outcome')).toHaveText(`${customers.name} is stored.`);
      await expect(row).toContainText('25 bytes');
      await expect(row).toHaveCount(1);
    });
  }

  await hydrated(page);
  await row.getByTestId('delete').click();
  await row.getByTestId('delete-file').click();
  await expect(row).toHaveCount(0);
});

test.describe('refused', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 422/ });

  test('what no look-up reads is refused in words', async ({ page }) => {
    await page.goto('/t/acme_corp/files');
    await hydrated(page);
    await page.getByLabel('File', { exact: true }).setInputFiles({ ...customers, name: 'picture.png' });
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect(page.getByTestId('upload-outcome')).toContainText('was not stored');
  });
});
