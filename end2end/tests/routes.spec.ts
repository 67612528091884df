// What is done on a decision: made, changed, given a new secret and deleted on the screen.
import { expect, hydrated, test } from './fixtures';
import { look } from './look';

// What the server refuses, browsers note.
test.use({ expectedFaults: /status of 422/ });

test('a webhook is made, keeps its secrets, and goes again', async ({ page, request }, { project }) => {
  const tenant = `routes_${project.name}`;
  const made = await request.post('/api/tenants', { data: { tenant_id: tenant, name: `Routes ${project.name}` } });
  expect(made.status()).toBe(201);
  try {
    const intent = await request.post(`/api/intents?tenant_id=${tenant}`, {
      data: {
        name: 'Orders',
        match: { any: [{ field: 'subject', op: 'contains', value: 'order' }], all: [], none: [] },
        extractors: [{ name: 'order_number', field: 'subject', pattern: '(\\d+)' }],
      },
    });
    expect(intent.status()).toBe(201);
    const { intent_id } = await intent.json();

    await test.step('from its intent, with what is wrong at its field', async () => {
      await page.goto(`/t/${tenant}/intents/${intent_id}`);
      await hydrated(page);
      await page.getByTestId('add-route').click();
      await expect(page.getByRole('heading', { level: 1 })).toHaveText('New route');
      await expect(page.getByTestId('route-intent')).toHaveValue(String(intent_id));
      await page.getByTestId('save').click();
      await expect(page.getByTestId('faults')).toContainText('must name at least one decision');
      await page.getByTestId('route-name').fill('Tell the ERP');
      await page.getByTestId('rejected').check();
      await page.getByTestId('route-url').fill('ftp://erp.example/hook');
      await page.getByTestId('save').click();
      await expect(page.getByLabel('Address')).toHaveAttribute('aria-invalid', 'true');
      await look(page, `${project.name}-route-editor`);
    });

    await test.step('its signing secret is shown once', async () => {
      await page.getByTestId('route-url').fill('https://erp.example/hook');
      await page.getByRole('button', { name: 'Add a header' }).click();
      await page.getByLabel('Name of header 1').fill('Authorization');
      await page.getByLabel('Value of header 1').fill('Bearer s3cret');
      await page.keyboard.press('ControlOrMeta+s');
      await expect(page.getByTestId('route-secret')).toHaveValue(/^whsec_/);
      await expect(page.getByTestId('route-secret'), 'the keyboard goes where the form was').toBeFocused();
      await look(page, `${project.name}-route-secret`);
      await page.getByTestId('done').click();
      await page.goto(`/t/${tenant}/routes`);
      await hydrated(page);
      await expect(page.getByTestId('route')).toContainText('Tells https://erp.example/hook');
      await expect(page.getByTestId('route')).toContainText('Orders');
      await look(page, `${project.name}-routes`);
    });

    await test.step('a header that is left empty stays', async () => {
      await page.getByRole('link', { name: 'Tell the ERP' }).click();
      await expect(page.getByTestId('route-url')).toHaveValue('https://erp.example/hook');
      await expect(page.getByLabel('Value of header 1')).toHaveValue('');
      expect(await page.content()).not.toContain('s3cret');
      await page.getByTestId('accepted').check();
      await page.getByTestId('save').click();
      await expect(page.getByTestId('toast').last()).toContainText('Tell the ERP is saved.');
      await expect(page.getByTestId('route')).toContainText('accepted, rejected');
      const [stored] = await (await request.get(`/api/routes?tenant_id=${tenant}`)).json();
      expect(stored.settings).toEqual({ url: 'https://erp.example/hook', headers: { Authorization: '********' } });
    });

    await test.step('it gets a new secret, then goes', async () => {
      await page.getByRole('link', { name: 'Tell the ERP' }).click();
      await page.getByTestId('rotate').click();
      await page.getByTestId('rotate-now').click();
      await expect(page.getByTestId('route-secret')).toHaveValue(/^whsec_/);
      await page.getByTestId('delete').click();
      await page.getByTestId('delete-for-good').click();
      await expect(page).toHaveURL(/\/routes$/);
      await expect(page.getByText('There are no routes yet')).toBeVisible();
    });

    await test.step('a label takes what is found in the message', async () => {
      await page.getByTestId('new-route').click();
      await page.getByTestId('route-name').fill('Mark it');
      await page.getByTestId('route-intent').selectOption({ label: 'Orders' });
      await page.getByTestId('review').check();
      await page.getByTestId('route-kind').selectOption('label');
      await page.getByTestId('route-label').fill('order ');
      await page.getByText('Insert a field of the message').click();
      await page.getByRole('button', { name: '{{order_number}}' }).click();
      await expect(page.getByTestId('route-label')).toHaveValue('order {{order_number}}');
      await page.getByTestId('save').click();
      await expect(page.getByTestId('route')).toContainText('Labels it “order {{order_number}}”');
      await page.getByLabel('Kind').selectOption('webhook');
      await expect(page.getByTestId('empty')).toContainText('No route fits');
    });
  } finally {
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('who may only look sees all that a route says', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  const tenant = 'routes_looked_at';
  const of = `tenant_id=${tenant}`;
  expect((await request.post('/api/tenants', { data: { tenant_id: tenant, name: 'Routes looked at' } })).status()).toBe(201);
  const guest = await browser.newContext({ storageState: { cookies: [], origins: [] }, baseURL });
  try {
    const invited = await request.post(`/api/members?${of}`, { data: { email: 'otto@routes.example', role: 'viewer' } });
    expect(invited.status()).toBe(201);
    const page = await guest.newPage();
    await page.goto(new URL((await invited.json()).link).pathname);
    await page.getByLabel('Your name, for a new account').fill('Otto');
    await page.getByLabel('Password').fill('mellow otter paints fences');
    await page.getByRole('button', { name: 'Accept' }).click();
    await expect(page.getByTestId('tenants')).toContainText('Routes looked at');

    const facts = page.getByTestId('route-facts');
    const masked = '********';
    for (const [kind, settings, lines] of [
      // Mails are none of this installation's, which has no relay.
      ['label', { label: 'vip' }, ['vip']],
      ['webhook', { url: 'https://erp.example/hook', headers: { 'X-Key': 's3cret' } }, ['https://erp.example', `X-Key: ${masked}`]],
    ] as [string, object, string[]][]) {
      const data = { name: lines[0], kind, decisions: ['accepted'], settings };
      const made = await request.post(`/api/routes?${of}`, { data });
      expect(made.status(), await made.text()).toBe(201);
      await page.goto(`/t/${tenant}/routes/${(await made.json()).route_id}`);
      for (const line of lines) await expect(facts, kind).toContainText(line);
      expect(await page.content()).not.toContain('s3cret');
    }
  } finally {
    await guest.close();
    await request.delete(`/api/tenants/${tenant}`);
  }
});

test('headers stay typed while one looks at another kind', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/routes/new');
  await hydrated(page);
  await page.getByRole('button', { name: 'Add a header' }).click();
  await page.getByLabel('Name of header 1').fill('X-Shop');
  await page.getByLabel('Value of header 1').fill('north');
  for (const kind of ['forward', 'webhook']) await page.getByTestId('route-kind').selectOption(kind);
  await expect(page.getByLabel('Name of header 1')).toHaveValue('X-Shop');
  await expect(page.getByLabel('Value of header 1')).toHaveValue('north');
  await page.getByRole('button', { name: 'Add a header' }).click();
  await expect(page.getByLabel('Name of header 2'), 'and the form goes on').toBeFocused();
  await page.getByTestId('route-name').fill('Tell the shop');
  await expect(page.getByTestId('route-name')).toHaveValue('Tell the shop');
  page.once('dialog', (dialog) => dialog.accept());
  await page.getByRole('link', { name: 'Cancel' }).click();
  await expect(page).toHaveURL(/\/routes$/);
});
