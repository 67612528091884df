// Long lists are narrowed by their words, in their address.
import type { APIRequestContext } from '@playwright/test';

import { isAccessible } from './accessible';
import { expect, hydrated, test } from './fixtures';

/** A tenant of its own, taken away at the end. */
async function inTenant(request: APIRequestContext, tenant: string, then: () => Promise<void>): Promise<void> {
  const made = await request.post('/api/tenants', { data: { tenant_id: tenant, name: `Narrow ${tenant}` } });
  expect(made.status()).toBe(201);
  try {
    await then();
  } finally {
    await request.delete(`/api/tenants/${tenant}`);
  }
}

async function addDatasource(request: APIRequestContext, tenant: string, name: string): Promise<void> {
  const answer = await request.post(`/api/datasources?tenant_id=${tenant}`, {
    data: { name, datasource_type: 'file', connection_key: 'papers', description: `Of ${name}` },
  });
  expect(answer.status()).toBe(201);
}

test('a short list is calm, and a long one is narrowed by its words', async ({ page, request }, { project }) => {
  const tenant = `find_${project.name}`;
  await inTenant(request, tenant, async () => {
    for (let number = 1; number <= 8; number += 1) await addDatasource(request, tenant, `Customers ${number}`);
    await page.goto(`/t/${tenant}/datasources`);
    await hydrated(page);
    const rows = page.getByTestId('datasource');
    const search = page.getByRole('searchbox', { name: 'Search' });
    await expect(rows).toHaveCount(8);
    await expect(search).toHaveCount(0);

    await addDatasource(request, tenant, 'Suppliers of the north');
    await page.reload();
    await hydrated(page);
    await search.fill('NORTH supp papers');
    await page.keyboard.press('Enter');
    await expect(page).toHaveURL(/[?&]q=NORTH/);
    await expect(rows).toHaveCount(1);
    await expect(rows).toContainText('Suppliers of the north');
    await isAccessible(page, project.name, 'datasources-narrowed');
    await page.reload();
    await hydrated(page);
    await expect(search, 'it stays, though the list is short now').toHaveValue('NORTH supp papers');
    await expect(rows).toHaveCount(1);

    await search.fill('zeppelin');
    await page.getByRole('button', { name: 'Filter' }).click();
    await expect(page.getByTestId('empty')).toContainText('No datasource fits');
    await isAccessible(page, project.name, 'datasources-none-fits');
    await page.goBack();
    await expect(rows).toHaveCount(1);
    await page.goForward();
    await page.getByRole('link', { name: 'All datasources' }).click();
    await expect(rows).toHaveCount(9);
    await expect(search).toHaveValue('');
  });
});

test.describe('a tenant without anything', { tag: '@desktop' }, () => {
  // It goes while its last page may still be about to hear of changes.
  test.use({ expectedFaults: /changes\?tenant_id=find_nothing/ });

  test('nothing yet is not the same as nothing that fits', async ({ page, request }) => {
    await inTenant(request, 'find_nothing', async () => {
      for (const [path, words] of [
        ['datasources', 'There are no datasources yet'],
        ['configs', 'There are no configs yet'],
        ['files', 'There are no files yet'],
        ['keys', 'There are no keys yet'],
        ['mailboxes', 'There are no mailboxes yet'],
        ['members', 'There are no members yet'],
        ['routes', 'There are no routes yet'],
        ['intents', 'There are no intents yet'],
      ]) {
        await page.goto(`/t/find_nothing/${path}?q=zeppelin`);
        await expect(page.getByTestId('empty'), path).toContainText(words);
      }
    });
  });
});

test('each list tells what does not fit, and leads back to all of it', { tag: '@desktop' }, async ({ page }) => {
  for (const [path, row, words] of [
    ['/t/acme_corp/configs', 'config', 'No config fits'],
    ['/t/acme_corp/files', 'file', 'No file fits'],
    ['/t/acme_corp/mailboxes', 'mailbox', 'No mailbox fits'],
    ['/t/acme_corp/routes', 'route', 'No route fits'],
    ['/tenants', 'tenant-link', 'No tenant fits'],
  ]) {
    await test.step(path, async () => {
      await page.goto(`${path}?q=zeppelin`);
      await hydrated(page);
      await expect(page.getByTestId(row)).toHaveCount(0);
      await expect(page.getByTestId('empty')).toContainText(words);
      await page.getByTestId('empty').getByRole('link').click();
      await expect(page.getByTestId(row).first()).toBeVisible();
      await expect(page).toHaveURL(new RegExp(`${path}$`));
    });
  }
});

test('what is typed stays though the list is shown anew', { tag: '@desktop' }, async ({ page, request }) => {
  const tenant = 'find_typed';
  await inTenant(request, tenant, async () => {
    const domains = await request.put(`/api/mail-domains?tenant_id=${tenant}`, { data: { domains: ['typed.example'] } });
    expect(domains.ok()).toBe(true);
    const made = await request.post(`/api/mailboxes?tenant_id=${tenant}`, {
      data: { name: 'Typed', kind: 'smtp', address: 'm@typed.example' },
    });
    expect(made.status()).toBe(201);
    await page.goto(`/t/${tenant}/mailboxes?q=typed`);
    await hydrated(page);
    const search = page.getByRole('searchbox', { name: 'Search' });
    await search.fill('zeppelin');
    // A server that has just begun to listen may not hear the first.
    await expect(async () => {
      const next = page.waitForResponse(/\/ui\/mailboxes\/list/, { timeout: 3_000 });
      const mark = Math.random().toString(36).slice(2);
      const answer = await request.post(`/api/emails?tenant_id=${tenant}`, {
        headers: { 'content-type': 'message/rfc822' },
        data: `From: ann@customer.example\r\nTo: m@typed.example\r\nSubject: ${mark}\r\n\r\nHello.\r\n`,
      });
      expect(answer.status()).toBe(202);
      await (await next).finished();
    }).toPass();
    // Until it is shown.
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 300)));
    await expect(search).toHaveValue('zeppelin');
    await expect(search).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(page.getByTestId('empty')).toContainText('No mailbox fits');
    await page.goBack();
    await expect(search).toHaveValue('typed');
    await page.getByRole('link', { name: 'Clear' }).click();
    await expect(page.getByTestId('mailbox')).toHaveCount(1);
    await expect(search, 'a short list is calm').toHaveCount(0);
  });
});

test('tenants are found in both lists of them', async ({ page }) => {
  await page.goto('/tenants?q=GLOBEX');
  await hydrated(page);
  await expect(page.getByTestId('tenant-link')).toHaveCount(1);
  await expect(page.getByTestId('managed-tenant')).toHaveCount(1);
  await expect(page.getByTestId('new-tenant')).toBeVisible();
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(page.getByTestId('tenant-link').filter({ hasText: 'Acme Corporation' })).toBeVisible();
});

test('examples are read page by page', { tag: '@desktop' }, async ({ page, request }) => {
  test.slow();
  await inTenant(request, 'find_examples', async () => {
    const made = await request.post('/api/intents?tenant_id=find_examples', { data: { name: 'Parcels' } });
    expect(made.status()).toBe(201);
    const { intent_id } = await made.json();
    for (let number = 1; number <= 51; number += 1) {
      const added = await request.post(`/api/intents/${intent_id}/examples?tenant_id=find_examples`, {
        data: { text: `Where is parcel number ${number}?` },
      });
      expect(added.status()).toBe(201);
    }
    await page.goto(`/t/find_examples/intents/${intent_id}/examples`);
    await hydrated(page);
    const examples = page.getByTestId('example');
    await expect(examples).toHaveCount(50);
    await page.getByTestId('older').click();
    await expect(examples).toHaveCount(1);
    await expect(examples).toContainText('parcel number 1?');
    await expect(page.getByTestId('older')).toHaveCount(0);
    await page.getByRole('link', { name: 'Newest' }).click();
    await expect(examples).toHaveCount(50);
    await expect(examples.first()).toContainText('parcel number 51?');

    await page.getByTestId('older').click();
    await expect(examples).toHaveCount(1);
    await page.getByTestId('example-text').fill('Where is parcel number 52?');
    await page.getByTestId('add-example').click();
    await expect(examples.first(), 'it is to be seen').toContainText('parcel number 52?');
    await expect(page).toHaveURL(/\/examples$/);
  });
});

test.describe('without a script', () => {
  test.use({ javaScriptEnabled: false });

  test('the files are narrowed by a plain form', async ({ page, request }) => {
    const names = Array.from({ length: 9 }, (_, number) => `plain_${number}.csv`);
    const file = (name: string) => `/api/files/${name}?tenant_id=acme_corp`;
    try {
      for (const name of names) {
        const answer = await request.put(file(name), { data: 'a\n1\n', headers: { 'content-type': 'text/csv' } });
        expect(answer.ok()).toBe(true);
      }
      await page.goto('/t/acme_corp/files');
      await page.getByRole('searchbox', { name: 'Search' }).fill('_7 plain');
      await page.getByRole('button', { name: 'Filter' }).click();
      await expect(page).toHaveURL(/[?&]q=_7/);
      await expect(page.getByTestId('file')).toHaveCount(1);
      await expect(page.getByTestId('file')).toContainText('plain_7.csv');
      await expect(page.getByRole('searchbox', { name: 'Search' })).toHaveValue('_7 plain');
      await page.getByRole('link', { name: 'Clear' }).click();
      await expect(page.getByTestId('file').filter({ hasText: 'plain_' })).toHaveCount(names.length);
    } finally {
      for (const name of names) await request.delete(file(name));
    }
  });
});
