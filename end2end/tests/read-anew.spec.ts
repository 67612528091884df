// What a page shows stays where it cannot be read anew, and so does what was typed. The page says so, and reads it once it can.
import type { Locator, Page } from '@playwright/test';

import { TENANT, send } from './arrivals';
import { messageId } from './demo';
import { expect, hydrated, test } from './fixtures';
import { askOnceMore } from './once-more';

test.use({ expectedFaults: /ERR_FAILED|status of 503/ });

/** Does what the page reads an address anew after, which breaks off: what `stands` stays. Gives what tries it again. */
async function breaksOff(
  page: Page,
  address: string | RegExp,
  stands: Locator,
  change: () => Promise<void>,
): Promise<() => Promise<void>> {
  const bar = page.getByTestId('stale');
  await page.route(address, (route) => route.abort());
  await change();
  await expect(bar).toContainText('What stands here is as it was before.');
  await expect(stands).toBeVisible();
  await expect(page.getByTestId('problem')).toHaveCount(0);
  return async () => {
    await page.unroute(address);
    await bar.getByRole('link', { name: 'Try again' }).click();
    await expect(bar).toHaveCount(0);
  };
}

test('what changed and could not be read anew takes nothing away', { tag: '@desktop' }, async ({ page, request }) => {
  test.slow();
  const tenant = 'read_anew';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Read anew' } })).status()).toBe(201);
  try {
    await test.step('of keys', async () => {
      const made = await request.post(`/api/api-keys?${of}`, { data: { name: 'First', role: 'viewer' } });
      expect(made.status()).toBe(201);
      await page.goto(`/t/${tenant}/keys`);
      await hydrated(page);
      const [rows, name] = [page.getByTestId('key'), page.getByLabel('Name')];
      const tryAgain = await breaksOff(page, '**/ui/keys/list', rows.filter({ hasText: 'First' }), async () => {
        await name.fill('Second');
        await page.getByTestId('create-key').click();
        await expect(page.getByTestId('key-made')).toHaveValue(/^fe_/);
      });
      await name.fill('Third');
      await tryAgain();
      await expect(rows).toHaveCount(2);
      await expect(name).toHaveValue('Third');
    });

    await test.step('of members', async () => {
      const first = 'first@anew.example';
      expect((await request.post(`/api/invitations?${of}`, { data: { email: first, role: 'viewer' } })).ok()).toBe(true);
      await page.goto(`/t/${tenant}/members`);
      await hydrated(page);
      const [rows, email] = [page.getByTestId('invitation'), page.getByLabel('Email', { exact: true })];
      const tryAgain = await breaksOff(page, '**/ui/members/list', rows.filter({ hasText: first }), async () => {
        await email.fill('second@anew.example');
        await page.getByTestId('send-invitation').click();
      });
      await email.fill('third@anew.example');
      await tryAgain();
      await expect(rows).toHaveCount(2);
      await expect(email).toHaveValue('third@anew.example');
    });

    await test.step('of files', async () => {
      const file = { name: 'second.csv', mimeType: 'text/csv', buffer: Buffer.from('region\nnorth\n') };
      const headers = { 'content-type': 'text/csv' };
      expect((await request.put(`/api/files/first.csv?${of}`, { data: 'region\nsouth\n', headers })).ok()).toBe(true);
      await page.goto(`/t/${tenant}/files`);
      await hydrated(page);
      const rows = page.getByTestId('file');
      const tryAgain = await breaksOff(page, '**/ui/files/list', rows.filter({ hasText: 'first.csv' }), async () => {
        await page.getByLabel('File', { exact: true }).setInputFiles(file);
        await page.getByRole('button', { name: 'Upload' }).click();
        await expect(page.getByTestId('upload-outcome')).toHaveText('second.csv is stored.');
      });
      await tryAgain();
      await expect(rows).toHaveCount(2);
    });

    await test.step('of examples', async () => {
      const made = await request.post(`/api/intents?${of}`, { data: { name: 'Parcels' } });
      const { intent_id } = await made.json();
      const added = await request.post(`/api/intents/${intent_id}/examples?${of}`, { data: { text: 'The first of them.' } });
      expect(added.ok()).toBe(true);
      await page.goto(`/t/${tenant}/intents/${intent_id}/examples`);
      await hydrated(page);
      const [rows, text] = [page.getByTestId('example'), page.getByTestId('example-text')];
      const read = /\/ui\/(examples\/list|classifier\/get)$/;
      const tryAgain = await breaksOff(page, read, rows.filter({ hasText: 'The first' }), async () => {
        await text.fill('The second of them.');
        await page.getByTestId('add-example').click();
      });
      await text.fill('The third of them.');
      await tryAgain();
      await expect(rows).toHaveCount(2);
      await expect(text).toHaveValue('The third of them.');
    });

    await test.step('of what is kept', async () => {
      await page.goto(`/t/${tenant}/settings?keep=other&days=3000`);
      await hydrated(page);
      const now = page.getByTestId('retention-now');
      const tryAgain = await breaksOff(page, '**/ui/retention/get', now, async () => {
        await page.getByTestId('retention-shorten').click();
        await page.getByTestId('retention-save').click();
      });
      await expect(now).toHaveText('Messages are kept for ever.');
      await tryAgain();
      await expect(now).toContainText('Messages are kept for 3000 days from their arrival');
    });
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('a tenant that is renamed takes away no name that is typed', { tag: '@desktop' }, async ({ page, request }) => {
  const [one, other] = ['read_anew_one', 'read_anew_other'];
  for (const id of [one, other]) {
    expect((await request.post('/api/tenants', { data: { tenant_id: id, name: id } })).status()).toBe(201);
  }
  try {
    await page.goto('/tenants');
    await hydrated(page);
    const row = (id: string) => page.getByTestId('managed-tenant').filter({ hasText: id });
    const field = (id: string) => row(id).getByRole('textbox');
    const next = page.getByTestId('new-tenant').getByLabel('Name');
    await next.fill('The next');
    await field(other).fill('Typed');
    const tryAgain = await breaksOff(page, '**/ui/tenants/list', row(one), async () => {
      await field(one).fill('Renamed');
      await field(one).press('Enter');
    });
    await expect(field(other)).toHaveValue('Typed');
    await expect(next).toHaveValue('The next');
    await tryAgain();
    await expect(page.getByTestId('tenant-link').filter({ hasText: 'Renamed' })).toBeVisible();
    await expect(field(one)).toHaveValue('Renamed');
    await expect(field(other)).toHaveValue('Typed');
    await expect(next).toHaveValue('The next');
  } finally {
    for (const id of [one, other]) await request.delete(`/api/tenants/${id}`);
  }
});

test('the intent that was set stays set', { tag: '@desktop' }, async ({ page, request }) => {
  const id = await messageId(request, await send(request, 1), TENANT);
  // Nothing comes over it: the page would ask by itself.
  await page.route('**/ui/changes?*', (route) =>
    route.fulfill({ status: 200, contentType: 'text/event-stream', body: 'retry: 600000\n\n' }),
  );
  await page.goto(`/t/${TENANT}/messages/${id}`);
  await hydrated(page);
  const [choice, set] = [page.getByTestId('correct-intent'), page.getByTestId('correct')];
  const had = await choice.inputValue();
  const options = await choice.locator('option').evaluateAll((all) => all.map((option) => (option as HTMLOptionElement).value));
  const chosen = options.find((option) => option !== '' && option !== had)!;
  const tryAgain = await breaksOff(page, '**/ui/emails/get', page.getByTestId('message'), async () => {
    await choice.selectOption(chosen);
    await set.click();
  });
  await askOnceMore(page);
  await expect(choice).toHaveValue(chosen);
  await expect(set, 'to say it again changes nothing').toHaveAttribute('aria-disabled', 'true');
  await tryAgain();
  await expect(page.getByTestId('message')).toHaveAttribute('data-status', 'done');
  await expect(choice).toHaveValue(chosen);
});
