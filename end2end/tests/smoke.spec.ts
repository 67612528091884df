import { expect, hydrated, test } from './fixtures';

test('whoever has used the sign-in link sees the demo', async ({ page }) => {
  await page.goto('/');
  await hydrated(page);
  await expect(page.locator('body')).toContainText(/acme_corp|Acme Corporation/, { useInnerText: true });
});
