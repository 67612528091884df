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

test('what is deleted leaves no question about the next @desktop', async ({ page, request }) => {
  for (const name of ['one.csv', 'two.csv']) {
    const answer = await request.put(`/api/files/${name}?tenant_id=acme_corp`, { data: 'a\n1\n', headers: { 'content-type': 'text/csv' } });
    expect(answer.ok()).toBe(true);
  }
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  const row = (name: string) => page.getByTestId('file').filter({ hasText: name });
  await row('one.csv').getByTestId('delete').click();
  await row('one.csv').getByTestId('delete-file').click();
  await expect(row('one.csv')).toHaveCount(0);
  await expect(page.getByRole('dialog'), 'nothing is asked').toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Delete for good' })).toHaveCount(0);
  await expect(page.getByTestId('file').locator(':focus'), 'the keyboard stays in the list').toHaveCount(1);
  await request.delete('/api/files/two.csv?tenant_id=acme_corp');
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
