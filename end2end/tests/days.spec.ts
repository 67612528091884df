import { expect, hydrated, test } from './fixtures';
import { unfold } from './unfold';

test.describe('a reader in another zone', () => {
  test.use({ timezoneId: 'Pacific/Auckland' });

  test('days are those of the reader, in the address too', async ({ page }) => {
    await page.goto('/t/acme_corp/messages');
    await hydrated(page);
    await unfold(page);
    const rows = page.getByTestId('message-row');
    await expect(rows).toHaveCount(12);
    const [yesterday, today] = await page.evaluate(() => {
      const pad = (part: number) => String(part).padStart(2, '0');
      return [1, 0].map((days) => {
        const day = new Date(Date.now() - days * 86_400_000);
        return `${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`;
      });
    });
    const narrow = async (from: string, to: string) => {
      await page.getByLabel('From', { exact: true }).fill(from);
      await page.getByLabel('To', { exact: true }).fill(to);
      await page.getByRole('button', { name: 'Filter', exact: true }).click();
    };
    await narrow('2020-01-01', '2020-06-01');
    await expect(page).toHaveURL(/[?&]from=2020-01-01&to=2020-06-01&zone=780(&|$)/);
    await expect(page.getByTestId('empty')).toBeVisible();
    await narrow(yesterday, today);
    await expect(rows).toHaveCount(12);

    await page.reload();
    await hydrated(page);
    await expect(page.getByLabel('From', { exact: true })).toHaveValue(yesterday);
    await expect(page.getByLabel('To', { exact: true })).toHaveValue(today);
    await expect(rows).toHaveCount(12);
    await unfold(page);
    await page.getByRole('link', { name: 'Clear' }).click();
    await expect(page.getByLabel('From', { exact: true })).toHaveValue('');
    await expect(page).not.toHaveURL(/from=/);
  });
});
