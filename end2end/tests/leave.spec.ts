// What is unsaved is asked about where a step leaves it, and only there.
import { send, TENANT } from './arrivals';
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

test('a note that went with no decision is asked about where the tab is closed', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = await send(request, 1);
  await page.goto(`/t/${TENANT}/messages?q=${mark}`);
  await hydrated(page);
  await page.getByTestId('message-row').getByRole('link').click();
  const note = page.getByLabel('Note to the decision');
  await note.fill('as agreed by phone');
  const asked: string[] = [];
  page.on('dialog', async (dialog) => {
    asked.push(dialog.type());
    await dialog.dismiss();
  });
  await page.close({ runBeforeUnload: true });
  await expect.poll(() => asked).toEqual(['beforeunload']);
  await expect(note).toHaveValue('as agreed by phone');

  await page.getByTestId('decide-accepted').click();
  await expect(page.getByTestId('outcome')).toContainText('Accepted');
  await expect(note).toHaveValue('');
  const closed = page.waitForEvent('close');
  await page.close({ runBeforeUnload: true });
  await closed;
  expect(asked, 'with nothing to lose, nobody is asked').toEqual(['beforeunload']);
});
