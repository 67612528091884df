// Members, invitations, keys, the audit log and tenants, on the screen.
import type { APIRequestContext, APIResponse, Browser, Page } from '@playwright/test';

import { invite } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';
import { look } from './look';
import { unfold } from './unfold';

/** A viewer reads, and is offered nothing that the server would refuse. */
async function looksOnly(page: Page): Promise<void> {
  await page.goto('/t/acme_corp/messages');
  const first = page.getByTestId('message-row').first().getByRole('link');
  // A guest's pages do not tell when they answer.
  await expect(async () => {
    await page.keyboard.press('k');
    await expect(first).toBeFocused({ timeout: 500 });
  }).toPass();
  await expect(page.getByTestId('choose')).toHaveCount(0);
  await expect(page.getByTestId('import')).toHaveCount(0);
  await page.keyboard.press('e');
  await page.keyboard.press('Enter');
  await expect(page.getByTestId('message')).toBeVisible();
  await page.keyboard.press('e');
  await page.keyboard.press('j');
  await expect(page, 'one may walk through them').toHaveURL(/messages\/.+/);
  await expect(page.getByTestId('toast'), 'no word was said').toHaveCount(0);
  for (const offered of ['decide-accepted', 'run-again', 'correct-intent', 'retry-delivery', 'repeat-delivery', 'edit-its-intent', 'try-changes']) {
    await expect(page.getByTestId(offered), offered).toHaveCount(0);
  }
  await page.goto('/t/acme_corp/intents');
  await expect(page.getByRole('link', { name: 'Order enquiry' })).toBeVisible();
  await expect(page.getByRole('link', { name: /New intent/ })).toHaveCount(0);
  await expect(page.getByTestId('sidebar').getByRole('link', { name: 'Members' })).toHaveCount(0);
  const bar = page.getByTestId('save-bar');
  await page.goto('/t/acme_corp/rules');
  await page.getByTestId('rule').first().getByRole('link').click();
  await expect(page).toHaveURL(/\/intents\/\d+$/);
  await expect(page.getByRole('heading', { level: 2, name: 'A message gets it when' })).toBeVisible();
  await expect(bar).toHaveCount(0);
  await page.goto(new URL(page.url()).pathname + '/edit');
  await expect(page.getByTestId('looks-only')).toBeVisible();
  await expect(bar).toHaveCount(0);
  await page.goto('/t/acme_corp/routes');
  await page.getByTestId('route').first().getByRole('link').click();
  await expect(page.getByTestId('route-facts')).toContainText('What it does');
  await expect(bar).toHaveCount(0);
}

test('somebody is invited, joins, gets another role, and is removed', async ({ page, browser, baseURL }, { project }) => {
  test.slow();
  const email = `lena-${project.name}@acme.example`;
  await page.goto('/t/acme_corp/members');
  await hydrated(page);
  await page.getByLabel('Email', { exact: true }).fill(email);
  await page.getByTestId('invite').getByRole('combobox').selectOption('viewer: reads');
  await page.getByTestId('send-invitation').click();
  const link = page.getByTestId('invitation-link');
  await expect(link).toHaveValue(/\/invitation\//);
  const invitation = page.getByTestId('invitation').filter({ hasText: email });
  await expect(invitation).toContainText('viewer');
  const first = await link.inputValue();
  await look(page, `${project.name}-members`);

  await invitation.getByTestId('send-again').click();
  await expect(link).not.toHaveValue(first);
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] } });
  const theirs = await guest.newPage();
  await theirs.goto(new URL(new URL(await link.inputValue()).pathname, baseURL).href);
  await theirs.getByLabel('Your name, for a new account').fill('Lena');
  await theirs.getByLabel('Password').fill('mellow otter paints fences');
  await theirs.getByRole('button', { name: 'Accept' }).click();
  await expect(theirs).not.toHaveURL(/invitation/);
  await theirs.waitForLoadState();
  await looksOnly(theirs);
  await guest.close();

  await page.reload();
  await hydrated(page);
  await expect(invitation).toHaveCount(0);
  const member = page.getByTestId('member').filter({ hasText: email });
  await member.getByRole('combobox').selectOption('operator: also decides on messages');
  await member.getByTestId('set-role').click();
  await expect(page.getByTestId('toast')).toContainText('The role is changed.');
  await member.getByTestId('remove').click();
  await member.getByTestId('remove-for-good').click();
  await expect(member).toHaveCount(0);
});

/** Makes somebody an administrator of Acme, and has them make a key. Returns their address, and a use of the key. */
async function joins(
  name: string,
  browser: Browser,
  request: APIRequestContext,
  baseURL: string | undefined,
): Promise<{ email: string; use: () => Promise<APIResponse> }> {
  const email = `${name.toLowerCase()}@acme.example`;
  const link = await invite(request, email, 'admin');
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  const theirs = await guest.newPage();
  await theirs.goto(link.pathname);
  await theirs.getByLabel('Your name, for a new account').fill(name);
  await theirs.getByLabel('Password').fill('mellow otter paints fences');
  await theirs.getByRole('button', { name: 'Accept' }).click();
  await expect(theirs.getByTestId('tenants')).toContainText('Acme Corporation');
  const made = await guest.request.post('/api/api-keys?tenant_id=acme_corp', { data: { name: `Of ${name}`, role: 'viewer' } });
  expect(made.status()).toBe(201);
  const { key } = await made.json();
  await guest.close();
  const headers = { authorization: `Bearer ${key}`, cookie: '' };
  return { email, use: () => request.get('/api/intents?tenant_id=acme_corp', { headers }) };
}

test('what a removed administrator made for programs still works, unless it is revoked too', { tag: '@desktop' }, async ({
  page,
  browser,
  request,
  baseURL,
}) => {
  test.slow();
  await joins('Otto', browser, request, baseURL); // a tenant keeps an administrator
  const { email, use } = await joins('Rita', browser, request, baseURL);

  await page.goto('/t/acme_corp/members');
  await hydrated(page);
  const member = page.getByTestId('member').filter({ hasText: email });
  await member.getByTestId('remove').click();
  const question = member.getByRole('dialog');
  await expect(question).toContainText('1 API key that Rita made still works.');
  await look(page, 'desktop-remove-member');
  await question.getByLabel('Revoke it too').check();
  expect((await use()).status()).toBe(200);
  await member.getByTestId('remove-for-good').click();
  await expect(member).toHaveCount(0);
  expect((await use()).status()).toBe(401);
});

test('with a role the keys end that its person made, without WebAssembly', { tag: '@desktop' }, async ({
  browser,
  request,
  baseURL,
}) => {
  test.slow();
  await joins('Olga', browser, request, baseURL); // a tenant keeps an administrator
  const { email, use } = await joins('Vera', browser, request, baseURL);
  expect((await use()).status()).toBe(200);

  const context = await browser.newContext({
    javaScriptEnabled: false,
    storageState: test.info().project.use.storageState,
    baseURL,
  });
  const page = await context.newPage();
  await page.goto('/t/acme_corp/members');
  const member = page.getByTestId('member').filter({ hasText: email });
  await expect(member).toContainText('1 API key that Vera made still works.');
  await member.getByRole('combobox').selectOption('viewer: reads');
  await member.getByLabel('Revoke it too').first().check();
  await member.getByTestId('set-role').click();
  await expect(page).toHaveURL(/\/members/);
  await expect(member.getByTestId('revoke-keys')).toHaveCount(0);
  expect((await use()).status()).toBe(401);
  await member.getByTestId('remove').click();
  await member.getByTestId('remove-for-good').click();
  await expect(member).toHaveCount(0);
  await context.close();
});

test('an invitation is taken back without WebAssembly', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  await request.post('/api/invitations?tenant_id=acme_corp', { data: { email: 'plain@acme.example', role: 'viewer' } });
  const context = await browser.newContext({
    javaScriptEnabled: false,
    storageState: test.info().project.use.storageState,
    baseURL,
  });
  const page = await context.newPage();
  await page.goto('/t/acme_corp/members');
  const invitation = page.getByTestId('invitation').filter({ hasText: 'plain@acme.example' });
  await invitation.getByTestId('take-back').click();
  const question = page.getByRole('dialog', { name: 'Take back the invitation of plain@acme.example?' });
  await question.getByTestId('take-back-now').click();
  await expect(page).toHaveURL(/\/members/);
  await expect(invitation).toHaveCount(0);
  await context.close();
});

test('an invitation is taken back by whoever says so twice', { tag: '@desktop' }, async ({ page, request }) => {
  const email = `asked-${Date.now()}@acme.example`;
  await invite(request, email);
  await page.goto('/t/acme_corp/members');
  await hydrated(page);
  const row = page.getByTestId('invitation').filter({ hasText: email });
  const button = row.getByRole('button', { name: `Take back … the invitation of ${email}` });
  await button.click();
  await row.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(row).toHaveCount(1);
  await button.click();
  await row.getByTestId('take-back-now').click();
  await expect(page.getByTestId('toast')).toContainText('The invitation is taken back.');
  await expect(row).toHaveCount(0);
});

test('a link goes with its invitation, and with no other', { tag: '@desktop' }, async ({ page, request }) => {
  const [other, email] = ['other', 'shown'].map((name) => `${name}-${Date.now()}@acme.example`);
  await invite(request, other);
  await page.goto('/t/acme_corp/members');
  await hydrated(page);
  await page.getByLabel('Email', { exact: true }).fill(email);
  await page.getByTestId('send-invitation').click();
  const link = page.getByTestId('invitation-link');
  await expect(link).toBeVisible();
  for (const [address, left] of [[other, 1], [email, 0]] as const) {
    const row = page.getByTestId('invitation').filter({ hasText: address });
    await row.getByTestId('take-back').click();
    await row.getByTestId('take-back-now').click();
    await expect(row).toHaveCount(0);
    await expect(link, address).toHaveCount(left);
  }
});

test('an invitation is accepted once by a double click', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  const link = await invite(request, `twice-${Date.now()}@acme.example`);
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  const page = await guest.newPage();
  await page.goto(link.pathname);
  await hydrated(page);
  await page.getByLabel('Your name, for a new account').fill('Twila');
  await page.getByLabel('Password').fill('mellow otter paints fences');
  const { asked, answer } = await hold(page, `**${link.pathname}`);
  const { x, y, width, height } = (await page.getByRole('button', { name: 'Accept' }).boundingBox())!;
  await page.mouse.move(x + width / 2, y + height / 2);
  for (const clickCount of [1, 2]) {
    await page.mouse.down({ clickCount });
    await page.mouse.up({ clickCount });
    await expect.poll(asked).toBe(1);
  }
  answer();
  await expect(page.getByTestId('tenants')).toContainText('Acme Corporation');
  expect(asked()).toBe(1);
  await guest.close();
});

test('a key is made, works, and is revoked; the log tells of it', async ({ page, request }, { project }) => {
  test.slow();
  const name = `Warehouse ${project.name}`;
  await page.goto('/t/acme_corp/keys');
  await hydrated(page);
  await page.getByLabel('Name').fill(name);
  await page.getByTestId('create-key').click();
  const key = await page.getByTestId('key-made').inputValue();
  expect(key).toMatch(/^fe_/);
  const row = page.getByTestId('key').filter({ hasText: name });
  await expect(row).toContainText('operator');
  await look(page, `${project.name}-keys`);
  const use = () => request.get('/api/intents?tenant_id=acme_corp', { headers: { authorization: `Bearer ${key}`, cookie: '' } });
  expect((await use()).status()).toBe(200);
  await expect(row.getByRole('button', { name: `Revoke … ${name}` })).toBeVisible();
  await row.getByTestId('revoke').click();
  await row.getByTestId('revoke-for-good').click();
  await expect(row).toContainText('revoked');
  await expect(page.getByTestId('key-made'), 'what opens nothing is not shown').toHaveCount(0);
  expect((await use()).status()).toBe(401);

  await page.goto('/t/acme_corp/audit');
  await hydrated(page);
  await unfold(page);
  await page.getByLabel('What').fill('api_key');
  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await expect(page).toHaveURL(/action=api_key/);
  const entries = page.getByTestId('entry');
  await expect(entries.first()).toContainText('api key: revoke');
  // The newest entry stands first before the filter has its answer, too.
  const others = page.locator('[data-testid=entry]:not([data-action^="api_key."])');
  await expect(others).toHaveCount(0);
  await entries.first().locator('summary').click();
  await expect(entries.first()).toContainText(name);
  await look(page, `${project.name}-audit`);
  const downloading = page.waitForEvent('download');
  await page.getByTestId('export-csv').click();
  expect((await downloading).url()).toContain('action=api_key');
});

test('the log shows what people did, and all that came in where that is asked for', { tag: '@desktop' }, async ({ page, request }) => {
  const tenant = 'log_of_people';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Log of people' } })).status()).toBe(201);
  try {
    const made = await request.post(`/api/intents?${of}`, { data: { name: 'Orders' } });
    const { intent_id } = await made.json();
    const taken = await request.post(`/api/emails?${of}`, {
      data: 'From: ann@customer.example\r\nTo: desk@example.com\r\nSubject: Hello\r\n\r\nHello\r\n',
      headers: { 'Content-Type': 'message/rfc822' },
    });
    const { email_id } = await taken.json();
    await page.goto(`/t/${tenant}/audit`);
    await hydrated(page);
    const entries = page.getByTestId('entry');
    const intent = entries.filter({ hasText: 'intent: create' });
    await expect(intent.getByRole('link', { name: String(intent_id) })).toHaveAttribute('href', `/t/${tenant}/intents/${intent_id}`);
    const arrival = entries.filter({ hasText: 'message: receive' });
    await expect(arrival).toHaveCount(0);
    await page.getByLabel('Shown').selectOption('Everything');
    await expect(page).toHaveURL(/shown=everything/);
    await expect(arrival.getByRole('link', { name: email_id })).toHaveAttribute('href', `/t/${tenant}/messages/${email_id}`);
    await expect(intent).toHaveCount(1);
    const log = async (query: string) => {
      const answer = await request.get(`/api/audit-log?${of}${query}`);
      return ((await answer.json()) as { action: string }[]).map((entry) => entry.action);
    };
    expect(await log(''), 'the API leaves nothing out unasked').toContain('email.receive');
    const people = await log('&people_only=true');
    expect(people).toContain('intent.create');
    expect(people).not.toContain('email.receive');
  } finally {
    await page.goto('about:blank');
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('a double click revokes one key, whatever takes its place meanwhile', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/keys');
  await hydrated(page);
  const names = [1, 2].map((number) => `Row ${number} ${Date.now()}`);
  for (const name of names) {
    await page.getByLabel('Name').fill(name);
    await page.getByTestId('create-key').click();
    await expect(page.getByTestId('key').filter({ hasText: name })).toHaveCount(1);
  }
  await page.getByTestId('key').filter({ hasText: names[0] }).getByTestId('revoke').click();
  const button = page.getByTestId('revoke-for-good').locator('visible=true');
  const { x, y, width, height } = (await button.boundingBox())!;
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down({ clickCount: 1 });
  await page.mouse.up({ clickCount: 1 });
  await expect(page.getByTestId('key').filter({ hasText: names[0] })).toContainText('revoked');
  await page.mouse.down({ clickCount: 2 });
  await page.mouse.up({ clickCount: 2 });
  await expect(page.getByTestId('key').filter({ hasText: names[1] })).not.toContainText('revoked');
});

test('what is typed before the page is taken over is kept', { tag: '@desktop' }, async ({ page }) => {
  let go = () => {};
  const gate = new Promise<void>((resolve) => (go = resolve));
  await page.route('**/*.wasm', async (route) => {
    await gate;
    await route.continue();
  });
  await page.goto('/t/acme_corp/keys', { waitUntil: 'commit' });
  await page.getByLabel('Name').fill('Typed early');
  go();
  await hydrated(page);
  await expect(page.getByLabel('Name')).toHaveValue('Typed early');
  await page.getByTestId('create-key').click();
  await expect(page.getByTestId('key').filter({ hasText: 'Typed early' })).toHaveCount(1);
});

test('who clicks twice makes one key', { tag: '@desktop' }, async ({ page, request }) => {
  const name = `Twice ${Date.now()}`;
  await page.goto('/t/acme_corp/keys');
  await hydrated(page);
  await page.getByLabel('Name').fill(name);
  await page.getByTestId('create-key').dblclick();
  await expect(page.getByTestId('key-made')).toHaveValue(/^fe_/);
  await expect(page.getByLabel('Name'), 'the next is another').toHaveValue('');
  const row = page.getByTestId('key').filter({ hasText: name });
  await expect(row).toHaveCount(1);
  const keys: { name: string }[] = await (await request.get('/api/api-keys?tenant_id=acme_corp')).json();
  expect(keys.filter((key) => key.name === name)).toHaveLength(1);

  await test.step('what cannot be copied is not said to be', async () => {
    await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true }));
    await page.getByTestId('copy').click();
    await expect(page.getByTestId('toast').last()).toContainText('does not let the page copy');
    await expect(page.getByTestId('key-made'), 'it is there to be copied').toBeFocused();
  });
  await row.getByTestId('revoke').click();
  await row.getByTestId('revoke-for-good').click();
  await expect(row).toContainText('revoked');
});

test('what is typed meanwhile stays', { tag: '@desktop' }, async ({ page, request }) => {
  const mark = `meanwhile_${Date.now()}`;
  await test.step('as the next key', async () => {
    await page.goto('/t/acme_corp/keys');
    await hydrated(page);
    const name = page.getByLabel('Name');
    const { asked, answer } = await hold(page, '**/ui/keys/create');
    const key = `Meanwhile ${Date.now()}`;
    await name.fill(key);
    await page.getByTestId('create-key').click();
    await expect.poll(asked).toBe(1);
    await name.fill('The next');
    answer();
    await expect(page.getByTestId('key').filter({ hasText: key })).toHaveCount(1);
    await expect(name).toHaveValue('The next');
  });
  await test.step('as the next tenant', async () => {
    await page.goto('/tenants');
    await hydrated(page);
    const form = page.getByTestId('new-tenant');
    const { asked, answer } = await hold(page, '**/ui/tenants/create');
    await form.getByLabel('Name').fill('Sent');
    await form.getByLabel(/^Id/).fill(mark);
    await page.getByTestId('create-tenant').click();
    await expect.poll(asked).toBe(1);
    await form.getByLabel('Name').fill('The next');
    answer();
    await expect(page.getByTestId('toast')).toContainText('The tenant is made.');
    await expect(form.getByLabel(/^Id/), 'what was sent is done with').toHaveValue('');
    await expect(form.getByLabel('Name')).toHaveValue('The next');
    expect((await request.delete(`/api/tenants/${mark}`)).ok()).toBe(true);
  });
});

test.describe('refused', { tag: '@desktop' }, () => {
  test.use({ expectedFaults: /status of (422|409)/ });

  test('what is wrong with a new tenant is told at its field', async ({ page }) => {
    await page.goto('/tenants');
    await hydrated(page);
    const form = page.getByTestId('new-tenant');
    await form.getByLabel('Name').fill('Initech');
    await form.getByLabel(/^Id/).fill('No Id!');
    await page.getByTestId('create-tenant').click();
    await expect(form.getByLabel(/^Id/)).toHaveAttribute('aria-invalid', 'true');
    await expect(form.getByTestId('faults')).toBeFocused();
    await expect(form.getByTestId('faults'), 'by its label').not.toContainText('tenant_id');
    await form.getByTestId('faults').getByRole('button', { name: /^Id/ }).click();
    await expect(form.getByLabel(/^Id/)).toBeFocused();
    await expect(form.getByLabel('Name'), 'what was typed stays').toHaveValue('Initech');
  });

  test('what is wrong with a domain is told at the domains', async ({ page }) => {
    await page.goto('/t/acme_corp/mailboxes');
    await hydrated(page);
    const domains = page.getByTestId('domains');
    const before = await domains.inputValue();
    await domains.fill(`${before}\nno domain!`);
    await page.getByTestId('save-domains').click();
    await expect(domains).toHaveAttribute('aria-invalid', 'true');
    await expect(page.getByTestId('faults').getByRole('button', { name: /domains, one a line/ }).first()).toBeVisible();
  });
});

test('what is sent last is what is kept', { tag: '@desktop' }, async ({ page, request }) => {
  const id = `in_order_${Date.now()}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: id, name: 'In order' } })).ok()).toBe(true);
  await page.goto('/tenants');
  await hydrated(page);
  const address = '**/ui/tenants/rename';
  const { asked, answer } = await hold(page, address);
  const log: string[] = [];
  const name = (body: string | null) => new URLSearchParams(body ?? '').get('name');
  page.on('request', (sent) => sent.url().endsWith('/ui/tenants/rename') && log.push(`asked ${name(sent.postData())}`));
  page.on('response', (answered) => {
    if (answered.url().endsWith('/ui/tenants/rename')) log.push(`answered ${name(answered.request().postData())}`);
  });
  const row = page.getByTestId('managed-tenant').filter({ hasText: id });
  for (const name of ['One', 'Two', 'One']) {
    await row.getByRole('textbox').fill(name);
    await row.getByRole('textbox').press('Enter');
    await expect.poll(asked).toBe(1);
  }
  answer();
  const isDone = 'answered One';
  await expect.poll(() => log).toEqual(['asked One', isDone, 'asked Two', 'answered Two', 'asked One', isDone]);
  await expect(row.getByRole('textbox')).toHaveValue('One');
  const { name: kept } = await (await request.get(`/api/tenants/${id}`)).json();
  expect(kept, 'the same again, after another').toBe('One');
  expect((await request.delete(`/api/tenants/${id}`)).ok()).toBe(true);
});

test('a tenant is made, renamed and deactivated', async ({ page, request }, { project }) => {
  test.slow();
  const id = `initech_${project.name}`;
  await page.goto('/tenants');
  await hydrated(page);
  await page.getByTestId('new-tenant').getByLabel('Name').fill(`Initech ${project.name}`);
  await page.getByTestId('new-tenant').getByLabel(/^Id/).fill(id);
  await page.getByTestId('create-tenant').click();
  const row = page.getByTestId('managed-tenant').filter({ hasText: id });
  await expect(row).toContainText('active');
  await look(page, `${project.name}-tenants-managed`);
  await row.getByRole('textbox').fill(`Initrode ${project.name}`);
  await row.getByTestId('rename').click();
  await expect(page.getByTestId('tenant-link').filter({ hasText: `Initrode ${project.name}` })).toBeVisible();
  await row.getByTestId('deactivate').click();
  await row.getByTestId('deactivate-now').click();
  await expect(row).toContainText('inactive');
  await row.getByTestId('activate').click();
  await expect(row).not.toContainText('inactive');
  expect((await request.delete(`/api/tenants/${id}`)).ok()).toBe(true);
});
