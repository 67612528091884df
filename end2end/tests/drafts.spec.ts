// What was typed into the editor of an intent, and not saved, is there again once the page is reloaded.
import type { Page } from '@playwright/test';

import { flowengine } from '../flowengine';
import { isAccessible } from './accessible';
import { invite, only } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

const TENANT = 'tenant_id=acme_corp';
const NEW = '/t/acme_corp/intents/new';

// A draft that is tried by itself while it is being saved has the name of what is stored.
test.use({ expectedFaults: /status of 409 .*try-draft/ });

/** Under what this tab keeps drafts. */
const kept = (page: Page) => page.evaluate(() => Object.keys(sessionStorage).filter((key) => /^draft:.*\//.test(key)));

/** Opens a page. Where something is unsaved, the browser asks, and is told to go on. */
async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await hydrated(page);
}

async function reload(page: Page): Promise<void> {
  await page.reload();
  await hydrated(page);
}

/** Waits until what was typed last is kept, if it is to be. */
async function rest(page: Page): Promise<void> {
  const since = await page.evaluate(() => performance.now());
  await page.waitForFunction((since) => performance.now() > since + 800, since);
}

test('a new intent is there again after a reload, until it is discarded or saved', async ({ page, request }, { project }) => {
  const name = `Begun ${project.name}`;
  const [field, back, rules] = ['name', 'back', 'edit-rule'].map((part) => page.getByTestId(part));
  const state = page.getByTestId('save-bar').getByRole('status');
  const any = page.getByTestId('match-any');
  const undo = page.getByTestId('undo');
  await open(page, NEW);
  await expect(back).toHaveCount(0);
  await field.fill(name);
  await any.getByRole('button', { name: 'Add a condition' }).click();
  await any.getByLabel('Value of condition 1').fill('voucher');
  await page.getByRole('button', { name: 'Take a field' }).click();
  await page.getByLabel('Name of field 1').fill('voucher_number');
  await page.getByTestId('extractor').getByLabel('Pattern').fill('voucher (\\d+)');
  await page.getByRole('button', { name: 'Add a rule' }).click();
  await page.getByTestId('rule-type').selectOption('regex');
  await page.getByTestId('pattern').fill('@customer');
  await reload(page);

  await expect(back).toContainText('Changes that you had not saved are back.');
  await expect(back).not.toContainText('Meanwhile');
  await expect(field).toHaveValue(name);
  await expect(any.getByLabel('Value of condition 1')).toHaveValue('voucher');
  await expect(page.getByLabel('Name of field 1')).toHaveValue('voucher_number');
  await expect(page.getByTestId('extractor').getByLabel('Pattern')).toHaveValue('voucher (\\d+)');
  await rules.getByTestId('rule-toggle').click();
  await expect(page.getByTestId('pattern')).toHaveValue('@customer');
  await expect(state).toHaveText('Not saved yet');
  await isAccessible(page, project.name, 'intent-back');

  const swap = back.getByRole('button');
  await test.step('it is discarded, and that is taken back', async () => {
    await expect(swap).toHaveText('Discard them');
    await swap.press('Enter');
    await expect(field).toHaveValue('');
    for (const lines of ['condition', 'extractor', 'edit-rule']) await expect(page.getByTestId(lines)).toHaveCount(0);
    await expect(state).toHaveText('');
    await expect.poll(() => kept(page)).toEqual([]);
    await expect(swap, 'the keyboard stays').toBeFocused();
    await expect(swap).toHaveText('Bring them back');
    await page.getByRole('button', { name: 'Add a rule' }).click();
    await page.getByTestId('remove-rule').click();
    await expect(undo).toHaveCount(1);
    await swap.press('Enter');
    await expect(field).toHaveValue(name);
    await expect(rules).toHaveCount(1);
    await expect(undo, 'what was removed is of other rules').toHaveCount(0);
    await expect(state).toHaveText('Not saved yet');
    await expect.poll(() => kept(page), 'also where the browser ends without a word').toEqual(['draft:acme_corp/new']);
  });

  const { answer } = await hold(page, '**/ui/intents/save');
  await page.getByTestId('save').click();
  await expect(page.locator('[inert]').getByTestId('back'), 'nothing is discarded of what is being saved').toBeVisible();
  answer();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  expect(await kept(page)).toEqual([]);
  await open(page, NEW);
  await expect(back).toHaveCount(0);
  await expect(field).toHaveValue('');
  const id = await only(request, 'intents', new URLSearchParams({ q: name }).toString(), 'intent_id');
  const rule = (await (await request.get(`/api/intents/${id}/validation-rules?${TENANT}`)).json())[0];
  expect(rule.conditions).toEqual({ pattern: '@customer' });
  await request.delete(`/api/intents/${id}?${TENANT}`);
});

test.describe('an intent that was changed meanwhile', () => {
  test.use({ expectedFaults: /status of 412/ });

  test('is not saved over unseen by what is back', { tag: '@desktop' }, async ({ page, request }) => {
    const name = `Reloaded ${Date.now()}`;
    const made = await request.post(`/api/intents?${TENANT}`, { data: { name } });
    expect(made.status()).toBe(201);
    const id = (await made.json()).intent_id;
    const [field, back] = ['name', 'back'].map((part) => page.getByTestId(part));
    await open(page, `/t/acme_corp/intents/${id}/edit`);
    await field.fill(`${name} by me`);
    await reload(page);
    await expect(back).toBeVisible();
    await expect(back).not.toContainText('Meanwhile');
    const changed = await request.put(`/api/intents/${id}?${TENANT}`, { data: { name: `${name} by them` } });
    expect(changed.status()).toBe(200);
    await reload(page);
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Edit ${name} by them`);
    await expect(back).toContainText('Meanwhile the intent was changed');
    await expect(field).toHaveValue(`${name} by me`);

    await page.getByTestId('save').click();
    await expect(page.getByTestId('faults')).toContainText('It was changed since you read it');
    await page.getByTestId('save-over').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name} by me`);
    expect(await kept(page)).toEqual([]);
    await page.getByTestId('edit-intent').click();
    await expect(field).toHaveValue(`${name} by me`);
    await expect(back).toHaveCount(0);
    await request.delete(`/api/intents/${id}?${TENANT}`);
  });
});

test('who leaves without saving leaves nothing behind, and another tenant’s editor has none of it', async ({ page }) => {
  const [field, back] = ['name', 'back'].map((part) => page.getByTestId(part));
  await open(page, NEW);
  await field.fill('Left behind');
  await open(page, '/t/globex_inc/intents/new');
  await expect(field).toHaveValue('');
  await expect(back).toHaveCount(0);

  await open(page, NEW);
  await expect(back).toBeVisible();
  await expect(field).toHaveValue('Left behind');
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByTestId('save-bar').getByRole('link', { name: 'Cancel' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Intents');
  expect(await kept(page)).toEqual([]);
  await open(page, NEW);
  await expect(field).toHaveValue('');
  await expect(back).toHaveCount(0);
});

test('what is saved before the hand rests is not kept after that', { tag: '@desktop' }, async ({ page, request }) => {
  const name = `Hurried ${Date.now()}`;
  await open(page, NEW);
  await page.getByTestId('name').fill(name);
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
  await rest(page);
  expect(await kept(page)).toEqual([]);
  const id = await only(request, 'intents', new URLSearchParams({ q: name }).toString(), 'intent_id');
  await request.delete(`/api/intents/${id}?${TENANT}`);
});

test('where a full storage takes no more, nothing older comes back', { tag: '@desktop' }, async ({ page }) => {
  await open(page, NEW);
  await page.getByTestId('name').fill('Older');
  await expect.poll(() => kept(page)).toEqual(['draft:acme_corp/new']);
  await page.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await page.getByTestId('name').fill('Typed last');
  await expect.poll(() => kept(page)).toEqual([]);
});

test('what is typed before the page is taken over comes on top of what is back', { tag: '@desktop' }, async ({ page, request }) => {
  const name = `Hasty ${Date.now()}`;
  const condition = (value: string) => ({ field: 'subject', op: 'contains', value });
  const match = { any: [condition('one'), condition('two')] };
  const made = await request.post(`/api/intents?${TENANT}`, { data: { name, priority: 900, match } });
  expect(made.status()).toBe(201);
  const id = (await made.json()).intent_id;
  const description = page.getByLabel('Description');
  const value = (line: number) => page.getByTestId('match-any').getByLabel(`Value of condition ${line}`);
  await open(page, `/t/acme_corp/intents/${id}/edit`);
  await page.getByTestId('name').fill(`${name}, changed`);
  await description.fill('Kept');
  await value(1).fill('one, changed');
  await value(2).fill('two, changed');
  const { answer } = await hold(page, '**/*.wasm');
  await page.reload({ waitUntil: 'commit' });
  await page.getByTestId('name').fill(`${name}, typed early`);
  await value(2).fill('two, typed early');
  answer();
  await hydrated(page);
  await expect(description).toHaveValue('Kept');
  await expect(value(1)).toHaveValue('one, changed');
  await expect(page.getByTestId('name')).toHaveValue(`${name}, typed early`);
  await expect(value(2)).toHaveValue('two, typed early');
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(`${name}, typed early`);
  const stored = await (await request.get(`/api/intents/${id}?${TENANT}`)).json();
  expect(stored.match.any).toEqual([condition('one, changed'), condition('two, typed early')]);
  await request.delete(`/api/intents/${id}?${TENANT}`);
});

test('where the draft has fewer lines they come as they were', { tag: '@desktop' }, async ({ page, request }) => {
  const name = `Shortened ${Date.now()}`;
  const condition = (value: string) => ({ field: 'subject', op: 'contains', value });
  const made = await request.post(`/api/intents/with-rules?${TENANT}`, {
    data: {
      intent: { name, priority: 900, match: { any: [condition('one'), condition('two')] } },
      validation_rules: [{ field_name: 'subject', rule_type: 'regex', conditions: { pattern: 'x' } }],
    },
  });
  expect(made.status()).toBe(201);
  const id = (await made.json()).intent.intent_id;
  const any = page.getByTestId('match-any');
  const value = (line: number) => any.getByLabel(`Value of condition ${line}`);
  await open(page, `/t/acme_corp/intents/${id}/edit`);
  await any.getByRole('button', { name: 'Remove condition 1' }).click();
  await expect(value(1)).toHaveValue('two');
  const { answer } = await hold(page, '**/*.wasm');
  await page.reload({ waitUntil: 'commit' });
  await value(1).fill('one, typed early');
  answer();
  await hydrated(page);
  await expect(page.getByTestId('back')).toBeVisible();
  await expect(any.getByTestId('condition')).toHaveCount(1);
  await expect(value(1), 'not what was typed into another').toHaveValue('two');
  await request.delete(`/api/intents/${id}?${TENANT}`);
});

test('a draft outlives its session, for whoever typed it', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  const [email, password] = [`drafts-${Date.now()}@acme.example`, 'mellow otter paints fences'];
  const link = await invite(request, email, 'editor');
  const context = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  const page = await context.newPage();
  await page.goto(link.pathname);
  await page.getByLabel('Your name, for a new account').fill('Edda');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Accept' }).click();
  await expect(page.getByTestId('tenants')).toContainText('Acme Corporation');
  await open(page, NEW);
  await page.getByTestId('name').fill('Typed for long');
  await expect.poll(() => kept(page)).toEqual(['draft:acme_corp/new']);

  await context.clearCookies();
  await page.reload();
  await page.getByLabel('Email', { exact: true }).fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByTestId('sign-in').getByRole('button', { name: 'Sign in' }).click();
  await expect(page).toHaveURL(/\/intents\/new$/);
  await hydrated(page);
  await expect(page.getByTestId('back')).toContainText('Changes that you had not saved are back.');
  await expect(page.getByTestId('name')).toHaveValue('Typed for long');
  await context.close();
});

test.describe('who signs in next', () => {
  test.use({ storageState: { cookies: [], origins: [] } });

  test('finds nothing of whoever was here before', { tag: '@desktop' }, async ({ page }) => {
    const [field, back] = ['name', 'back'].map((part) => page.getByTestId(part));
    const typed = async () => {
      await field.fill('Nothing for others');
      await expect.poll(() => kept(page)).toEqual(['draft:acme_corp/new']);
    };
    await page.goto(flowengine('admin', 'sign-in-link'));
    await open(page, NEW);
    await typed();

    await test.step('though they signed in in another tab', async () => {
      await page.evaluate(() => sessionStorage.setItem('draft:whose', '"somebody.else@customer.example"'));
      await reload(page);
      await expect.poll(() => kept(page)).toEqual([]);
      await expect(field).toHaveValue('');
      await expect(back).toHaveCount(0);
    });

    await typed();
    const { answer } = await hold(page, '**/*.wasm');
    await page.getByTestId('sign-out').click();
    await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
    await expect.poll(() => kept(page), 'before the page is taken over').toEqual([]);
    answer();

    const plant = () => page.evaluate(() => ['draft:a/new', 'lastList:a'].forEach((key) => sessionStorage.setItem(key, '""')));
    const lists = () => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('lastList:')));
    await plant();
    await page.goto('/sign-in?next=%2Ft%2Facme_corp');
    await expect.poll(lists).toEqual([]);
    expect(await kept(page), 'whoever comes back has it still').toEqual(['draft:a/new']);
    await plant();
    await page.goto('/sign-in');
    await expect.poll(() => kept(page)).toEqual([]);
  });
});
