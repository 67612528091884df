import type { Page } from '@playwright/test';

import { isAccessible } from './accessible';
import { STAR, messageId, only } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

async function choice(page: Page): Promise<string | undefined> {
  const text = await page.evaluate(() => sessionStorage.getItem('selectedTenantId'));
  return text === null ? undefined : JSON.parse(text);
}

async function choose(page: Page, name: string): Promise<void> {
  await page.goto('/');
  await hydrated(page);
  await page.getByTestId('tenant-link').filter({ hasText: name }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
  await expect(page.getByTestId('tenant-name')).toHaveText(name);
}

test('a reload keeps the tenant, and an address without one leads to it', async ({ page }) => {
  await choose(page, 'Globex Inc.');
  await expect.poll(() => choice(page)).toBe('globex_inc');

  await page.reload();
  await hydrated(page);
  await expect(page).toHaveURL(/\/t\/globex_inc$/);
  expect(await choice(page)).toBe('globex_inc');

  await page.goto('/');
  await expect(page).toHaveURL(/\/t\/globex_inc$/);
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('Dashboard');
  await page.goto('/intents');
  await expect(page).toHaveURL(/\/t\/globex_inc\/intents$/);
  await expect(page.getByTestId('intent').first()).toBeVisible();
  await page.goto('/messages?decision=rejected');
  await expect(page).toHaveURL(/\/t\/globex_inc\/messages\?decision=rejected$/);
});

test('two tabs work for two tenants, and each survives a reload', async ({ page, context }) => {
  await choose(page, 'Acme Corporation');
  const other = await context.newPage();
  await choose(other, 'Globex Inc.');

  for (const [tab, id] of [[page, 'acme_corp'], [other, 'globex_inc']] as const) {
    await tab.reload();
    await hydrated(tab);
    expect(await choice(tab)).toBe(id);
    await tab.goto('/intents');
    await expect(tab).toHaveURL(new RegExp(`/t/${id}/intents$`));
  }
  await expect(page.getByTestId('intent').filter({ hasText: 'Order enquiry' })).toBeVisible();
  await expect(other.getByTestId('intent').filter({ hasText: 'Ticket follow-up' })).toBeVisible();
  await expect(other.getByText('Order enquiry')).toHaveCount(0);
});

test('a tab without a choice chooses, and comes where it wanted to', async ({ page }) => {
  await page.goto('/intents');
  await hydrated(page);
  await expect(page).toHaveURL(/\/intents$/);
  await page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' }).click();
  await expect(page).toHaveURL(/\/t\/acme_corp\/intents$/);
  await expect(page.getByTestId('intent').first()).toBeVisible();
  await expect.poll(() => choice(page)).toBe('acme_corp');
});

test('a choice that no longer holds is forgotten', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/sign-in');
  await page.evaluate(() => sessionStorage.setItem('selectedTenantId', '"gone_by_now"'));
  await page.goto('/');
  await expect(page.getByTestId('tenants')).toBeVisible();
  await expect.poll(() => choice(page)).toBeUndefined();
});

test('a link to another tenant makes it the tab’s', { tag: '@desktop' }, async ({ page }) => {
  await choose(page, 'Acme Corporation');
  await page.goto('/t/globex_inc/rules');
  await expect.poll(() => choice(page)).toBe('globex_inc');
});

test('the palette offers what this tenant has, not what the one before had', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp');
  await hydrated(page);
  const [input, entries] = [page.getByTestId('palette-input'), page.getByTestId('palette-entry')];
  await page.keyboard.press('ControlOrMeta+k');
  await input.fill('Shop database');
  await expect(entries.filter({ hasText: 'Datasource' })).toHaveCount(1);
  await input.fill('Globex Inc.');
  await entries.filter({ hasText: 'Switch tenant' }).click();
  await expect(page.getByTestId('tenant-name')).toHaveText('Globex Inc.');
  const { asked, answer } = await hold(page, '**/ui/names/list');
  await page.keyboard.press('ControlOrMeta+k');
  await expect.poll(asked).toBe(1);
  await input.fill('Shop database');
  await expect(entries).toHaveText(/Messages with “Shop database”/);
  answer();
});

test('a tenant is deleted by whoever types its id', async ({ page, request }, { project }) => {
  const id = `hooli_${project.name}`;
  const made = await request.post('/api/tenants', { data: { tenant_id: id, name: `Hooli ${project.name}` } });
  expect(made.status()).toBe(201);
  await page.goto('/tenants');
  await hydrated(page);
  const row = page.getByTestId('managed-tenant').filter({ hasText: id });
  await row.getByTestId('delete-tenant').click();
  const field = row.getByTestId('typed-id');
  await field.fill('acme_corp');
  await row.getByTestId('delete-for-good').click();
  await expect(field, 'the browser leads to it').toBeFocused();
  expect(await field.evaluate((input: HTMLInputElement) => input.validity.patternMismatch)).toBe(true);
  expect((await request.get(`/api/tenants/${id}`)).status(), 'it is there').toBe(200);

  await field.fill(id);
  await isAccessible(page, project.name, 'tenants-delete');
  await row.getByTestId('delete-for-good').click();
  await expect(page.getByTestId('toast').last()).toContainText('The tenant is deleted.');
  await expect(row).toHaveCount(0);
  expect((await request.get(`/api/tenants/${id}`)).status()).toBe(404);
  expect((await request.get('/api/tenants/acme_corp')).status()).toBe(200);
});

test('a tenant is deleted without WebAssembly', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  const made = await request.post('/api/tenants', { data: { tenant_id: 'hooli_plain', name: 'Hooli Plain' } });
  expect(made.status()).toBe(201);
  const context = await browser.newContext({
    javaScriptEnabled: false,
    storageState: test.info().project.use.storageState,
    baseURL,
  });
  const page = await context.newPage();
  await page.goto('/tenants');
  const row = page.getByTestId('managed-tenant').filter({ hasText: 'hooli_plain' });
  await row.getByTestId('delete-tenant').click();
  await row.getByTestId('typed-id').fill('hooli_plain');
  await row.getByTestId('delete-for-good').click();
  await expect(row).toHaveCount(0);
  await expect(page).toHaveURL(/\/tenants\??$/);
  await context.close();
  expect((await request.get('/api/tenants/hooli_plain')).status()).toBe(404);
});

test.describe('what is not there', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 404/ });

  for (const path of ['/t/no_such_tenant/messages', '/t/NO%20TENANT/intents']) {
    test(`unknown tenant: ${path}`, async ({ page }) => {
      const answer = await page.goto(path);
      expect(answer?.status()).toBe(404);
      await hydrated(page);
      await expect(page.getByTestId('not-found')).toContainText('Not found');
      expect(await choice(page)).toBeUndefined();
    });
  }

  test('another tenant’s message', async ({ page, request }) => {
    const id = await messageId(request, STAR);
    const answer = await page.goto(`/t/globex_inc/messages/${id}`);
    expect(answer?.status()).toBe(404);
    // Words, not the number: four digits may stand in a build's or a message's id by chance.
    expect(await answer?.text()).not.toContain('Where is my order');
    await hydrated(page);
    await expect(page.getByTestId('not-found')).toContainText(`${id} not found`);
    await expect(page.getByTestId('run-again')).toHaveCount(0);
  });

  test('another tenant’s intent', async ({ page, request }) => {
    const id = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
    const answer = await page.goto(`/t/globex_inc/intents/${id}`);
    expect(answer?.status()).toBe(404);
    await hydrated(page);
    await expect(page.getByTestId('not-found')).toContainText(`${id} not found`);
  });

  test('a message and an intent whose ids are none', async ({ page }) => {
    for (const path of ['/t/acme_corp/messages/nonsense', '/t/acme_corp/intents/nonsense']) {
      const answer = await page.goto(path);
      expect(answer?.status(), path).toBe(404);
      await hydrated(page);
      await expect(page.getByTestId('not-found')).toBeVisible();
    }
  });

  test('no such page', async ({ page }) => {
    const answer = await page.goto('/no/such/page');
    expect(answer?.status()).toBe(404);
    await hydrated(page);
    await expect(page.getByTestId('page-not-found')).toBeVisible();
  });
});
