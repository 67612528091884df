// How long messages are kept: what would go is said before it is shortened, with and without WebAssembly.
import { expect, hydrated, test } from './fixtures';

for (const javaScriptEnabled of [true, false]) {
  test.describe(`with${javaScriptEnabled ? '' : 'out'} WebAssembly`, () => {
    test.use({ javaScriptEnabled });

    test('messages are kept for as long as an administrator says', async ({ page }) => {
      await page.goto('/t/globex_inc/settings');
      if (javaScriptEnabled) await hydrated(page);
      const now = page.getByTestId('retention-now');
      await expect(now).toHaveText('Messages are kept for ever.');

      // The number is another one than any that a message of the demo could be as old as.
      await page.getByTestId('retention-keep').selectOption('other');
      await page.getByTestId('retention-days').fill('3000');
      await page.getByTestId('retention-ask').click();
      await expect(page).toHaveURL(/keep=other&days=3000/);
      await expect(page.getByTestId('retention-words')).toHaveText('Kept for 3000 days: 0 messages would go now.');
      await expect(now).toHaveText('Messages are kept for ever.');

      if (javaScriptEnabled) await hydrated(page);
      await page.getByTestId('retention-shorten').click();
      await expect(page.getByRole('dialog', { name: 'Keep messages for 3000 days?' })).toBeVisible();
      await page.getByTestId('retention-save').click();
      await expect(now).toContainText('Messages are kept for 3000 days from their arrival');
      await expect(page).not.toHaveURL(/keep=/);
      await expect(page.getByTestId('retention-days')).toHaveValue('3000');

      // Longer takes no question.
      if (javaScriptEnabled) await hydrated(page);
      await page.getByTestId('retention-keep').selectOption('ever');
      await page.getByTestId('retention-ask').click();
      await expect(page.getByTestId('retention-words')).toHaveText('Kept for ever: no message goes because of it.');
      if (javaScriptEnabled) await hydrated(page);
      await page.getByTestId('retention-save').click();
      await expect(now).toHaveText('Messages are kept for ever.');
    });
  });
}
