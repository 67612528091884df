// Where mail comes from: mailboxes made, changed and deleted on the screen.
import type { APIRequestContext, Page } from '@playwright/test';

import { asksAfterMessage, openLive } from './arrivals';
import { expect, hydrated, test } from './fixtures';
import { look } from './look';

// What the server refuses, browsers note.
test.use({ expectedFaults: /status of 422/ });

type Stored = { mailbox_id: number; name: string; imap: Record<string, unknown> | null };

async function stored(request: APIRequestContext): Promise<Stored[]> {
  return (await request.get('/api/mailboxes?tenant_id=acme_corp')).json();
}

/** Takes away what a test made, wherever it ended. */
async function remove(request: APIRequestContext, names: string[]): Promise<void> {
  for (const { mailbox_id, name } of await stored(request)) {
    if (names.includes(name)) await request.delete(`/api/mailboxes/${mailbox_id}?tenant_id=acme_corp`);
  }
}

async function begin(page: Page): Promise<void> {
  await page.goto('/t/acme_corp/mailboxes');
  await hydrated(page);
  await page.getByTestId('new-mailbox').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('New mailbox');
}

test('mail for an address is taken, under another name too, and no longer', async ({ page, request }, { project }) => {
  test.slow();
  const [name, renamed] = [`Returns ${project.name}`, `Sent back ${project.name}`];
  const row = page.getByTestId('mailbox').filter({ hasText: 'returns@acme-corp.example' });
  try {
    await test.step('a domain of somebody else is told at the address', async () => {
      await begin(page);
      await page.getByTestId('mailbox-name').fill(name);
      await page.getByTestId('mailbox-address').fill('x@elsewhere.example');
      await page.getByTestId('save').click();
      await expect(page.getByTestId('mailbox-address')).toHaveAttribute('aria-invalid', 'true');
      await expect(page.getByTestId('faults').getByRole('button', { name: 'Address' })).toBeVisible();
      await look(page, `${project.name}-mailbox-editor`);
    });

    await test.step('one of the tenant’s waits for mail', async () => {
      await page.getByTestId('mailbox-address').fill('returns@acme-corp.example');
      await page.keyboard.press('ControlOrMeta+s');
      await expect(page.getByTestId('toast').last()).toContainText(`${name} is saved.`);
      await expect(page).toHaveURL(/\/mailboxes$/);
      await expect(row).toContainText(name);
      await expect(row).toContainText('Waiting');
      await expect(row).toContainText('0 stored');
      await look(page, `${project.name}-mailboxes`);
    });

    await test.step('it gets another name, and stays of its kind', async () => {
      await row.getByRole('link').click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText(`Edit ${name}`);
      await expect(page.getByTestId('mailbox-signs')).toContainText('Waiting');
      await expect(page.getByTestId('mailbox-kind')).toHaveCount(0);
      await page.getByTestId('mailbox-name').fill(renamed);
      await page.getByTestId('save').click();
      await expect(row).toContainText(renamed);
    });

    await test.step('it goes', async () => {
      await row.getByRole('link').click();
      await page.getByTestId('delete').click();
      await page.getByTestId('delete-for-good').click();
      await expect(page).toHaveURL(/\/mailboxes$/);
      await expect(page.getByTestId('mailbox').first()).toBeVisible();
      await expect(row).toHaveCount(0);
    });
  } finally {
    await remove(request, [name, renamed]);
  }
});

test('the password of a mailbox elsewhere is not read back', async ({ page, request }, { project }) => {
  test.slow();
  const name = `Elsewhere ${project.name}`;
  const password = 'mellow otter paints fences';
  const row = page.getByTestId('mailbox').filter({ hasText: name });
  try {
    await test.step('it is made, what is wrong told at its field', async () => {
      await begin(page);
      await page.getByTestId('mailbox-name').fill(name);
      await page.getByTestId('mailbox-kind').selectOption('imap');
      // Inactive: nobody is there to be asked.
      await page.getByTestId('mailbox-active').uncheck();
      await page.getByTestId('imap-host').fill('imap.acme-corp.example');
      await page.getByTestId('imap-port').fill('imap');
      await page.getByTestId('imap-username').fill('orders@acme-corp.example');
      await page.getByTestId('imap-password').fill(password);
      await page.getByTestId('save').click();
      await expect(page.getByTestId('imap-port')).toHaveAttribute('aria-invalid', 'true');
      await expect(page.getByTestId('imap-port')).toHaveAttribute('placeholder', '993');
      await page.getByTestId('imap-security').selectOption('starttls');
      await expect(page.getByTestId('imap-port')).toHaveAttribute('placeholder', '143');
      await look(page, `${project.name}-mailbox-editor-imap`);
      await page.getByTestId('imap-port').fill('');
      await page.getByTestId('save').click();
      await expect(row).toContainText('orders@acme-corp.example');
      await expect(row).toContainText('on imap.acme-corp.example, INBOX, by IMAP');
      await expect(row).toContainText('Inactive');
    });

    await test.step('its page has a mask in the place of it', async () => {
      await row.getByRole('link').click();
      await expect(page.getByTestId('imap-password')).toHaveValue('********');
      const answer = await page.reload();
      expect(await answer!.text()).not.toContain(password);
      await hydrated(page);
      await expect(page.getByTestId('imap-password')).toHaveValue('********');
      expect(await page.content()).not.toContain(password);
    });

    await test.step('it is changed without it', async () => {
      await page.getByTestId('imap-folder').fill('Orders');
      await page.getByTestId('save').click();
      await expect(row).toContainText('on imap.acme-corp.example, Orders, by IMAP');
      const mailbox = (await stored(request)).find((mailbox) => mailbox.name === name);
      expect(mailbox!.imap).toMatchObject({ folder: 'Orders', security: 'starttls', password: '********' });
    });

    await test.step('its server takes tokens alone now: what that needs is asked for', async () => {
      await row.getByRole('link').click();
      await expect(page.getByTestId('imap-login')).toHaveValue('password');
      await expect(page.getByTestId('imap-token-url')).toBeHidden();
      await page.getByTestId('imap-login').selectOption('oauth');
      await expect(page.getByLabel('Client secret')).toHaveValue('********');
      await expect(page.getByTestId('imap-scope'), 'as most need it').toHaveValue('https://outlook.office365.com/.default');
      await page.getByTestId('imap-token-url').fill('login.example');
      await page.getByTestId('save').click();
      await expect(page.getByTestId('imap-token-url')).toHaveAttribute('aria-invalid', 'true');
      await expect(page.getByTestId('imap-client-id')).toHaveAttribute('aria-invalid', 'true');
      await look(page, `${project.name}-mailbox-editor-oauth`);
      await page.getByTestId('imap-token-url').fill('https://login.example/token');
      await page.getByTestId('imap-client-id').fill('flow');
      await page.getByTestId('save').click();
      // The stored password is the user's, not the client's.
      await expect(page.getByTestId('imap-password')).toHaveAttribute('aria-invalid', 'true');
      await page.getByTestId('imap-password').fill(password);
      await page.getByTestId('save').click();
      await expect(row).toContainText('Inactive');
      await row.getByRole('link').click();
      await expect(page.getByTestId('imap-token-url')).toHaveValue('https://login.example/token');
      await expect(page.getByTestId('imap-password')).toHaveValue('********');
      expect(await page.content()).not.toContain(password);
      const mailbox = (await stored(request)).find((mailbox) => mailbox.name === name);
      expect(mailbox!.imap).toMatchObject({ oauth: { token_url: 'https://login.example/token', client_id: 'flow' }, password: '********' });
    });
  } finally {
    await remove(request, [name]);
  }
});

test.describe('a busy server', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of 503/ });

  test('takes no list of mailboxes away', async ({ page, request }) => {
    const address = /\/ui\/mailboxes\/list$/;
    await openLive(page, '/mailboxes');
    const first = page.getByTestId('mailbox').first();
    await first.evaluate((element) => Object.assign(element, { isTheSame: true }));
    await page.route(address, (route) => route.fulfill({ status: 503 }));
    await asksAfterMessage(page, request, address, 503);
    await page.unroute(address);
    await asksAfterMessage(page, request, address);
    await expect(page.getByTestId('problem')).toHaveCount(0);
    expect(await first.evaluate((element) => 'isTheSame' in element), 'it was there all the time').toBe(true);
  });
});

test('domains are said by a plain form, without WebAssembly', { tag: '@desktop' }, async ({ browser, baseURL }) => {
  const context = await browser.newContext({
    javaScriptEnabled: false,
    storageState: test.info().project.use.storageState,
    baseURL,
  });
  const page = await context.newPage();
  await page.goto('/t/acme_corp/mailboxes');
  const domains = page.getByTestId('domains');
  const before = await domains.inputValue();
  expect(before).toContain('acme-corp.example');
  await domains.fill(`${before}\nreturns.acme-corp.example`);
  await page.getByTestId('save-domains').click();
  await expect(page).toHaveURL(/\/mailboxes\??$/);
  await expect(page.getByTestId('mail-domains')).toContainText('returns.acme-corp.example');
  await domains.fill(before);
  await page.getByTestId('save-domains').click();
  await expect(page.getByTestId('mail-domains')).not.toContainText('returns.acme-corp.example');
  await context.close();
});
