// A file comes to a tenant by the screen, with and without WebAssembly, and goes again.
import type { Locator } from '@playwright/test';
import { readFileSync } from 'node:fs';

import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

const customers = { name: 'regions.csv', mimeType: 'text/csv', buffer: Buffer.from('region,manager\nnorth,Ada\n') };

test('a file is uploaded, replaced and deleted @desktop', async ({ page }) => {
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  const shop = page.getByTestId('file').filter({ hasText: 'shop.sqlite' });
  await expect(shop).toContainText('shop_sqlite');
  await expect(shop.getByTestId('delete'), 'what is used stays').toHaveCount(0);
  await expect(shop).toContainText('in use: it cannot be deleted');

  const row = page.getByTestId('file').filter({ hasText: customers.name });
  for (const round of ['new', 'replaced']) {
    await test.step(round, async () => {
      await page.getByLabel('File', { exact: true }).setInputFiles(customers);
      await page.getByRole('button', { name: 'Upload' }).click();
      await expect(page.getByTestId('upload-outcome')).toHaveText(`${customers.name} is stored.`);
      await expect(row).toContainText('25 bytes');
      await expect(row).toHaveCount(1);
    });
  }

  await test.step('it is fetched', async () => {
    const way = row.getByTestId('download');
    await expect(way).toHaveAccessibleName(`Download ${customers.name}`);
    const fetching = page.waitForEvent('download');
    await way.click();
    const fetched = await fetching;
    expect(fetched.suggestedFilename()).toBe(customers.name);
    expect(readFileSync(await fetched.path(), 'utf8')).toBe(customers.buffer.toString());
  });

  await test.step('what stands around it keeps its place', async () => {
    const top = async (locator: Locator) => (await locator.boundingBox())!.y;
    const cell = row.getByRole('cell').filter({ has: page.getByTestId('replace') });
    expect((await top(row.getByTestId('replace'))) - (await top(cell)), 'of its row').toBeLessThan(12);
    const outcome = (await page.getByTestId('upload-outcome').boundingBox())!;
    const table = await top(page.getByRole('table'));
    expect(table - outcome.y - outcome.height, 'apart from the table').toBeGreaterThanOrEqual(12);
  });

  await hydrated(page);
  await row.getByTestId('delete').click();
  await row.getByTestId('delete-file').click();
  await expect(row).toHaveCount(0);
});

test('a file that no look-up can read is stored, and told as that @desktop', async ({ page, request }) => {
  const why = `${customers.name} is stored, but it cannot be read: the file's first line must name every column.`;
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  for (const [text, told] of [
    ['region,manager\nnorth,Ada\n', `${customers.name} is stored.`],
    [',manager\nnorth,Ada\n', why],
  ]) {
    await page.getByLabel('File', { exact: true }).setInputFiles({ ...customers, buffer: Buffer.from(text) });
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect(page.getByTestId('upload-outcome')).toHaveText(told);
  }
  await page.getByTestId('file').filter({ hasText: customers.name }).getByTestId('look').click();
  await expect(page.getByTestId('unreadable')).toContainText('first line must name every column');
  await expect(page.getByTestId('download'), 'it can be fetched, to be mended').toBeVisible();
  await request.delete(`/api/files/${customers.name}?tenant_id=acme_corp`);
});

test('who may only look sees what files there are, and is led into none @desktop', async ({ browser, request, baseURL }) => {
  const tenant = 'files_looked_at';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Files looked at' } })).status()).toBe(201);
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  try {
    const file = `/api/files/regions.csv?${of}`;
    expect((await request.put(file, { data: 'region\nnorth\n', headers: { 'content-type': 'text/csv' } })).status()).toBe(201);
    const config = { name: 'regions', protocol: 'file', connection_json: { path: 'regions.csv' } };
    expect((await request.post(`/api/datasource-configs?${of}`, { data: config })).status()).toBe(201);
    const datasource = { name: 'Regions', datasource_type: 'file', connection_key: 'regions' };
    const made = await request.post(`/api/datasources?${of}`, { data: datasource });
    expect(made.status()).toBe(201);
    const { datasource_id } = await made.json();

    const given = await request.get(file);
    expect(given.headers()['content-disposition']).toBe('attachment');
    expect(given.headers()['x-content-type-options']).toBe('nosniff');

    const invited = await request.post(`/api/members?${of}`, { data: { email: 'olga@files.example', role: 'viewer' } });
    expect(invited.status()).toBe(201);
    const page = await guest.newPage();
    await page.goto(new URL((await invited.json()).link).pathname);
    await page.getByLabel('Your name, for a new account').fill('Olga');
    await page.getByLabel('Password').fill('mellow otter paints fences');
    await page.getByRole('button', { name: 'Accept' }).click();
    await expect(page.getByTestId('tenants')).toContainText('Files looked at');
    await page.goto(`/t/${tenant}/files`);
    await expect(page.getByTestId('file')).toContainText('regions.csv');
    for (const offered of ['look', 'download', 'replace', 'delete']) {
      await expect(page.getByTestId(offered), offered).toHaveCount(0);
    }
    await page.goto(`/t/${tenant}/datasources/${datasource_id}`);
    await expect(page.getByTestId('config-link')).toHaveText('regions');
    await expect(page.getByTestId('file-link')).toHaveCount(0);
    expect((await guest.request.get(file)).status()).toBe(403);
  } finally {
    await guest.close();
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('a file is replaced again, and while others come in @desktop', async ({ page, request }) => {
  const names = [customers.name, 'slow.csv'];
  for (const name of names) {
    const answer = await request.put(`/api/files/${name}?tenant_id=acme_corp`, { data: 'a\n1\n', headers: { 'content-type': 'text/csv' } });
    expect(answer.ok()).toBe(true);
  }
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  const row = (name: string) => page.getByTestId('file').filter({ hasText: name });
  const outcome = (name: string) => page.getByTestId('upload-outcome').filter({ hasText: `${name} is stored.` });
  /** Opens the system's window, and gives what chooses in it. */
  const choose = async (name: string) => {
    const opened = page.waitForEvent('filechooser');
    await row(name).getByTestId('replace').click();
    const window = await opened;
    return (text: string) => window.setFiles({ ...customers, name: 'other.csv', buffer: Buffer.from(text) });
  };
  const replace = async (name: string, text: string) => (await choose(name))(text);

  await test.step('again', async () => {
    for (const [text, size] of [['region\nnorth\n', '13 bytes'], ['region\nnorth\nsouth\n', '19 bytes']]) {
      await replace(customers.name, text);
      await expect(row(customers.name)).toContainText(size);
      await expect(outcome(customers.name)).toBeVisible();
    }
  });

  await test.step('while another comes in', async () => {
    let go = () => {};
    const gate = new Promise<void>((resolve) => (go = resolve));
    await page.route('**/api/files/slow.csv?*', async (route) => {
      await gate;
      await route.continue();
    });
    await replace('slow.csv', 'region\nnorth\n');
    await expect(page.getByTestId('uploading')).toContainText('slow.csv');
    await page.getByLabel('File', { exact: true }).setInputFiles(customers);
    await page.getByRole('button', { name: 'Upload' }).click();
    // Its row is another's then.
    await expect(row(customers.name)).toContainText('25 bytes');
    go();
    await expect(outcome('slow.csv')).toBeVisible();
    await expect(page.getByTestId('uploading')).toHaveCount(0);
    await expect(row('slow.csv')).toContainText('13 bytes');
  });

  await test.step('though the rows are made anew while the system’s window is open', async () => {
    const { answer } = await hold(page, '**/api/files/slow.csv?*');
    await replace('slow.csv', 'region\nnorth\nsouth\n');
    await expect(page.getByTestId('uploading')).toContainText('slow.csv');
    const send = await choose(customers.name);
    answer();
    await expect(row('slow.csv')).toContainText('19 bytes');
    await send('region\nsouth\n');
    await expect(outcome(customers.name)).toBeVisible();
    await expect(row(customers.name)).toContainText('13 bytes');
  });
  for (const name of names) await request.delete(`/api/files/${name}?tenant_id=acme_corp`);
});

test('what is deleted leaves no question about the next @desktop', async ({ page, request }) => {
  for (const name of ['one.csv', 'two.csv']) {
    const answer = await request.put(`/api/files/${name}?tenant_id=acme_corp`, { data: 'a\n1\n', headers: { 'content-type': 'text/csv' } });
    expect(answer.ok()).toBe(true);
  }
  await page.goto('/t/acme_corp/files');
  await hydrated(page);
  const row = (name: string) => page.getByTestId('file').filter({ hasText: name });
  await row('one.csv').getByTestId('delete').click();
  await row('one.csv').getByTestId('delete-file').click();
  await expect(row('one.csv')).toHaveCount(0);
  await expect(page.getByRole('dialog'), 'nothing is asked').toHaveCount(0);
  await expect(page.getByRole('button', { name: 'Delete for good' })).toHaveCount(0);
  await expect(page.getByTestId('file').locator(':focus'), 'the keyboard stays in the list').toHaveCount(1);
  await request.delete('/api/files/two.csv?tenant_id=acme_corp');
});

test.describe('several at once', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 422/ });

  test('whose page was left are told of once, and stand in the list of who comes back', async ({ page, request }) => {
    const names = ['one.csv', 'two.csv', 'three.csv'];
    await page.goto('/t/acme_corp/files');
    await hydrated(page);
    const { answer } = await hold(page, '**/api/files/*.*?*');
    const files = [...names, 'picture.png'].map((name) => ({ ...customers, name }));
    await page.getByLabel('File', { exact: true }).setInputFiles(files);
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect(page.getByTestId('uploading')).toHaveCount(4);
    await page.getByTestId('sidebar').getByRole('link', { name: 'Datasources' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Datasources');
    await page.goBack();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Files');
    const row = (name: string) => page.getByTestId('file').filter({ hasText: name });
    await expect(row('shop.sqlite')).toHaveCount(1);
    await expect(row('one.csv')).toHaveCount(0);
    answer();
    const told = page.getByTestId('toast');
    await expect(told).toContainText('3 of 4 files came in. Refused, in whole or in part: picture.png');
    await expect(told).toHaveCount(1);
    for (const name of names) await expect(row(name)).toHaveCount(1);
    for (const name of names) await request.delete(`/api/files/${name}?tenant_id=acme_corp`);
  });
});

test.describe('refused', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 422/ });

  test('what no look-up reads is refused in words', async ({ page }) => {
    await page.goto('/t/acme_corp/files');
    await hydrated(page);
    await page.getByLabel('File', { exact: true }).setInputFiles({ ...customers, name: 'picture.png' });
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect(page.getByTestId('upload-outcome')).toContainText('was not stored');
  });
});
