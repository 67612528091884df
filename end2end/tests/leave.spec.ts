// What is unsaved is asked about where a step leaves it, and only there.
import { expect, hydrated, test } from './fixtures';

test('what leaves nothing does not ask, and does not end the asking', { tag: '@desktop' }, async ({ page, context }) => {
  await page.goto('/t/acme_corp/intents/new');
  await hydrated(page);
  await page.getByTestId('name').fill('Never saved');
  await expect(page.getByTestId('save-bar').getByRole('status')).toHaveText('Not saved yet');
  const asked: string[] = [];
  page.on('dialog', async (dialog) => {
    asked.push(dialog.message());
    await dialog.dismiss();
  });
  const away = page.getByTestId('save-bar').getByRole('link', { name: 'Cancel' });

  await test.step('a link in a new tab', async () => {
    const opened = context.waitForEvent('page');
    await away.click({ modifiers: ['ControlOrMeta'] });
    const tab = await opened;
    await hydrated(tab);
    await tab.close();
    expect(asked).toEqual([]);
  });

  await test.step('the skip link, and the way back from it', async () => {
    await page.locator('.skip-link').focus();
    await page.keyboard.press('Enter');
    await expect(page.locator('#main')).toBeFocused();
    await expect(page).toHaveURL(/#main$/);
    await page.goBack();
    await expect(page).toHaveURL(/\/intents\/new$/);
    expect(asked).toEqual([]);
  });

  await test.step('the palette’s entry for the page itself', async () => {
    await page.keyboard.press('ControlOrMeta+k');
    await page.getByTestId('palette-input').fill('New intent');
    await page.keyboard.press('Enter');
    await expect(page.getByRole('dialog', { name: 'Go to' })).toBeHidden();
    expect(asked).toEqual([]);
  });

  await away.click();
  await expect.poll(() => asked.length, 'a link to another page asks').toBe(1);
  await expect(page.getByTestId('name')).toHaveValue('Never saved');
});
