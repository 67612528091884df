// What is unsaved is asked about where a step leaves it, and only there.
import { send, TENANT } from './arrivals';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';
import { askOnceMore } from './once-more';

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
  await expect.poll(() => asked, 'a link to another page asks').toEqual(['You have changes that are not saved. Leave without them?']);
  await expect(page.getByTestId('name')).toHaveValue('Never saved');
});

test.describe('what is being saved', () => {
  test.use({ expectedFaults: /status of 412/ });

  test('is held still, and asked about until it is', { tag: '@desktop' }, async ({ page, request }) => {
    const name = `Slowly saved ${Date.now()}`;
    const made = await request.post('/api/intents?tenant_id=acme_corp', { data: { name } });
    expect(made.status()).toBe(201);
    const id = (await made.json()).intent_id;
    const [address, resource] = [`/t/acme_corp/intents/${id}`, `/api/intents/${id}?tenant_id=acme_corp`];
    await page.goto(address);
    await hydrated(page);
    await page.getByTestId('edit-intent').click();
    const field = page.getByTestId('name');
    await field.fill(`${name} by me`);
    const changed = await request.put(resource, { data: { name: `${name} by them` } });
    expect(changed.status()).toBe(200);
    const question: string[] = [];
    let words = '';
    page.on('dialog', async (dialog) => {
      question.push(dialog.type());
      words = dialog.message();
      await dialog.dismiss();
    });

    const { asked, answer } = await hold(page, '**/ui/intents/save');
    await field.focus();
    await page.keyboard.press('ControlOrMeta+s');
    const state = page.getByTestId('save-bar').getByRole('status');
    await expect(state).toHaveText('Saving …');
    const form = page.locator('.editor');
    await expect(form).toHaveAttribute('aria-busy', 'true');
    await expect(page.getByTestId('save')).toBeFocused();
    // Who types on means no key of the page.
    await page.keyboard.type('gdz?');
    await expect(page.getByRole('dialog')).toHaveCount(0);
    await expect(page).toHaveURL(`${address}/edit`);
    await expect(field).toHaveValue(`${name} by me`);
    expect(question).toEqual([]);

    await page.getByTestId('save-bar').getByRole('link', { name: 'Cancel' }).click();
    await expect.poll(() => question).toEqual(['confirm']);
    expect(words, 'the server may well have it').toBe('It is being saved. Leave before that is known?');
    await page.evaluate(() => history.back());
    await expect.poll(() => question).toEqual(['confirm', 'confirm']);
    await page.close({ runBeforeUnload: true });
    await expect.poll(() => question).toEqual(['confirm', 'confirm', 'beforeunload']);
    await expect(page).toHaveURL(`${address}/edit`);

    answer();
    await expect(page.getByTestId('faults'), 'what was refused is told').toBeFocused();
    await expect(state).toHaveText('Not saved yet');
    await expect(form).toHaveAttribute('aria-busy', 'false');
    await field.fill(`${name} by me, after all`);
    await page.getByTestId('save-over').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} by me, after all`);
    expect(question, 'what is saved is asked about no more').toHaveLength(3);
    expect(asked()).toBe(2);
    const removed = await request.delete(resource, { headers: { 'if-match': '*' } });
    expect(removed.status()).toBe(204);
  });
});

test('what was deleted leads nobody away who is elsewhere by then', { tag: '@desktop' }, async ({ page, request }) => {
  const made = await request.post('/api/intents?tenant_id=acme_corp', { data: { name: `Slowly deleted ${Date.now()}` } });
  expect(made.status()).toBe(201);
  const id = (await made.json()).intent_id;
  await page.goto(`/t/acme_corp/intents/${id}`);
  await hydrated(page);
  const { asked, answer } = await hold(page, '**/ui/intents/delete');
  await page.getByTestId('delete-intent').click();
  await page.getByTestId('confirm-delete').click();
  await expect.poll(asked).toBe(1);
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByTestId('palette-input').fill('New intent');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New intent');
  await page.getByTestId('name').fill('Never saved');
  const answered = page.waitForResponse('**/ui/intents/delete');
  answer();
  await (await answered).finished();
  await askOnceMore(page);
  expect((await request.get(`/api/intents/${id}?tenant_id=acme_corp`)).status()).toBe(404);
  expect(new URL(page.url()).pathname).toBe('/t/acme_corp/intents/new');
  await expect(page.getByTestId('name')).toHaveValue('Never saved');
});

test('nor who is at another intent', { tag: '@desktop' }, async ({ page, request }) => {
  const [deleted, other] = [`Slowly deleted ${Date.now()}`, `Gone on to ${Date.now()}`];
  const ids: number[] = [];
  for (const name of [deleted, other]) {
    const made = await request.post('/api/intents?tenant_id=acme_corp', { data: { name } });
    expect(made.status()).toBe(201);
    ids.push((await made.json()).intent_id);
  }
  const title = page.getByRole('heading', { level: 1 });
  const there = new RegExp(`/intents/${ids[1]}$`);
  await page.goto(`/t/acme_corp/intents/${ids[0]}`);
  await hydrated(page);
  const { asked, answer } = await hold(page, '**/ui/intents/delete');
  await page.getByTestId('delete-intent').click();
  await page.getByTestId('confirm-delete').click();
  await expect.poll(asked).toBe(1);
  await page.keyboard.press('ControlOrMeta+k');
  await page.getByTestId('palette-input').fill(other);
  await page.getByTestId('palette-entry').filter({ hasText: 'Intent' }).filter({ hasText: other }).first().click();
  await expect(title).toHaveText(other);
  const answered = page.waitForResponse('**/ui/intents/delete');
  answer();
  await (await answered).finished();
  await askOnceMore(page);
  expect((await request.get(`/api/intents/${ids[0]}?tenant_id=acme_corp`)).status()).toBe(404);
  await expect(page).toHaveURL(there);
  await expect(title).toHaveText(other);
  await expect(page.getByTestId('toast'), 'of this one there is nothing to say').toHaveCount(0);

  await page.getByTestId('delete-intent').click();
  await page.getByTestId('confirm-delete').click();
  await expect(page.getByTestId('toast')).toContainText('The intent is deleted.');
  await expect(page).toHaveURL(/\/intents$/);
});

test.describe('an intent that somebody else changed meanwhile', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 412/ });

  test('is not deleted unseen', async ({ page, request }) => {
    const name = `Changed meanwhile ${Date.now()}`;
    const made = await request.post('/api/intents?tenant_id=acme_corp', { data: { name } });
    const resource = `/api/intents/${(await made.json()).intent_id}?tenant_id=acme_corp`;
    await page.goto(resource.replace('/api', '/t/acme_corp').split('?')[0]);
    await hydrated(page);
    const rule = { intent_id: (await (await request.get(resource)).json()).intent_id, field_name: 'subject', rule_type: 'regex', conditions: { pattern: 'x' } };
    expect((await request.post('/api/validation-rules?tenant_id=acme_corp', { data: rule })).status()).toBe(201);
    await page.getByTestId('delete-intent').click();
    await page.getByTestId('confirm-delete').click();
    await expect(page.getByTestId('action-problem')).toContainText('It was changed since you read it');
    expect((await request.delete(resource, { headers: { 'if-match': '*' } })).status()).toBe(204);
  });
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
