import type { Page } from '@playwright/test';

import { expect, hydrated, test } from './fixtures';

test('the first Tab reaches the skip link, which leads to the content', async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
  await page.keyboard.press('Tab');
  const skip = page.getByRole('link', { name: 'Skip to content' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(page.locator('#main')).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(page.locator('#main :focus')).toHaveCount(1);
});

test('/ searches', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const search = page.getByRole('searchbox', { name: 'Search' });
  await page.keyboard.press('/');
  await expect(search).toBeFocused();
  await page.keyboard.type('1042/jk');
  await expect(search, 'where somebody types, keys are text').toHaveValue('1042/jk');
  await search.fill('1042');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('message-row')).toHaveCount(1);
  await expect(page.locator('#main'), 'where the keys are the page’s').toBeFocused();
  const said = page.getByTestId('list-said');
  await expect(said).toHaveText('1 message');
  await page.keyboard.press('j');
  await expect(page.getByTestId('message-row').getByRole('link'), 'what was found is walked through').toBeFocused();

  await page.keyboard.press('/');
  await search.fill('a zeppelin that nobody wrote of');
  await page.keyboard.press('Enter');
  await expect(said).toHaveText('No message fits.');
});

test('Escape leaves in the search what the list is narrowed by', async ({ page }) => {
  await page.goto('/t/acme_corp/messages?q=1042');
  await hydrated(page);
  const search = page.getByRole('searchbox', { name: 'Search' });
  await search.focus();
  await page.keyboard.press('Escape');
  await expect(search).not.toBeFocused();
  await expect(search).toHaveValue('1042');
  await search.fill('never sent');
  await page.keyboard.press('Escape');
  await expect(search).toHaveValue('1042');
  await expect(page.getByTestId('message-row')).toHaveCount(1);
});

test('keys go on after a box was ticked, and rest while a window is open', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const boxes = page.getByTestId('choose');
  await boxes.first().click();
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('bulk')).toBeHidden();
  await page.keyboard.press('j');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeVisible();
  await page.keyboard.press('x');
  await page.keyboard.press('Escape');
  await expect(page.getByRole('dialog', { name: 'Keyboard' })).toBeHidden();
  await expect(page.getByTestId('bulk')).toBeHidden();
  await page.keyboard.press('x');
  await expect(page.getByTestId('bulk')).toContainText('1 chosen');
});

test('j and k go on from the row whose box was ticked', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const links = page.getByTestId('message-row').getByRole('link');
  const box = page.getByTestId('choose').nth(4);
  await box.click();
  await page.keyboard.press('j');
  await expect(links.nth(5)).toBeFocused();
  await box.click();
  await page.keyboard.press('k');
  await expect(links.nth(3)).toBeFocused();
});

test('single keys can be turned off, all but the one that tells how to turn them on', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const help = page.getByRole('dialog', { name: 'Keyboard' });
  const first = page.getByTestId('message-row').getByRole('link').first();
  await page.keyboard.press('?');
  await help.getByTestId('single-keys').uncheck();
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await page.keyboard.press('j');
  await expect(first).not.toBeFocused();

  await page.reload();
  await hydrated(page);
  await page.keyboard.press('j');
  await expect(first, 'the choice is kept').not.toBeFocused();
  await page.keyboard.press('Control+k');
  await expect(page.getByTestId('palette-input'), 'what needs a command key stays').toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('palette-input')).toBeHidden();
  await page.keyboard.press('?');
  await expect(help.getByTestId('single-keys')).not.toBeChecked();
  await help.getByTestId('single-keys').check();
  await page.keyboard.press('Escape');
  await expect(help).toBeHidden();
  await page.keyboard.press('j');
  await expect(first).toBeFocused();
});

test('a sign that a keyboard writes with Alt is a key like another', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const press = (key: string) =>
    page.evaluate((key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, altKey: true, bubbles: true, cancelable: true })), key);
  await press('j');
  await expect(page.getByTestId('message-row').getByRole('link').first(), 'no letter is').not.toBeFocused();
  await press('/');
  await expect(page.getByRole('searchbox', { name: 'Search' })).toBeFocused();
});

/** Presses a key where the keyboard is, as another keyboard or an input method does. */
async function press(page: Page, key: string, code: string, more: KeyboardEventInit = {}): Promise<void> {
  const pressed = { key, code, bubbles: true, cancelable: true, ...more };
  await page.evaluate((pressed) => document.activeElement!.dispatchEvent(new KeyboardEvent('keydown', pressed)), pressed);
}

test('a letter of another script is the Latin one of its key', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await press(page, 'о', 'KeyJ');
  await expect(page.getByTestId('message-row').getByRole('link').first()).toBeFocused();
  await press(page, 'л', 'KeyK', { ctrlKey: true });
  await expect(page.getByTestId('palette-input')).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByTestId('palette-input')).toBeHidden();
  await press(page, 'π', 'KeyP');
  await press(page, 'γ', 'KeyG');
  await press(page, 'ι', 'KeyI');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Intents');
});

test('a sign is no letter of another script, and AltGr is none of this page’s keys', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const first = page.getByTestId('message-row').getByRole('link').first();
  await press(page, '€', 'KeyJ');
  await press(page, 'о', 'KeyJ', { modifierAltGraph: true });
  await expect(first).not.toBeFocused();
  await press(page, 'о', 'KeyJ');
  await expect(first).toBeFocused();
});

test('a key that an input method takes is nobody else’s', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await test.step('Escape, in a field', async () => {
    const search = page.getByRole('searchbox', { name: 'Search' });
    await search.focus();
    await press(page, 'Escape', 'Escape', { isComposing: true });
    await expect(search, 'it ended the composition').toBeFocused();
    await press(page, 'Escape', 'Escape');
    await expect(search).not.toBeFocused();
  });
  await test.step('Enter, in the palette', async () => {
    await page.keyboard.press('Control+k');
    const input = page.getByTestId('palette-input');
    await input.fill('Datasources');
    await press(page, 'Enter', 'Enter', { isComposing: true });
    await press(page, 'Enter', 'Enter', { keyCode: 229 });
    await expect(input, 'it took what was offered').toBeFocused();
    await expect(page).toHaveURL(/\/messages$/);
    await press(page, 'Enter', 'Enter');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Datasources');
  });
});

test('j and k walk through the messages, and Enter opens one', async ({ page }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  const links = page.getByTestId('message-row').getByRole('link');
  await page.keyboard.press('j');
  await expect(links.nth(0)).toBeFocused();
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await expect(links.nth(2)).toBeFocused();
  await page.keyboard.press('k');
  await expect(links.nth(1)).toBeFocused();

  const subject = await links.nth(1).innerText();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(subject);
  await expect(page.locator('#main'), 'reading goes on at the new page').toBeFocused();
});

test('a message can be worked by Tab and Enter alone', async ({ page }) => {
  await page.goto('/t/acme_corp/messages?q=1042');
  await hydrated(page);
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('message')).toBeVisible();
  const reached: string[] = [];
  for (let i = 0; i < 6; i += 1) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => (document.activeElement as HTMLElement).innerText.trim() || document.activeElement!.tagName));
  }
  expect(reached.slice(0, 5)).toEqual(['Messages', 'TEXTAREA', 'Accept', 'Reject', 'Run again']);
});
