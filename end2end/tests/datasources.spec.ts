// Datasources, configs and files: made, tried, changed and deleted on the screen.
import { named, only } from './demo';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';
import { look } from './look';
import { unfold } from './unfold';

// What the server refuses, browsers note.
test.use({ expectedFaults: /status of 422/ });

const people = {
  name: 'people.csv',
  mimeType: 'text/csv',
  buffer: Buffer.from('email,name\nann@x.example,Ann\nbob@x.example,Bob\n'),
};

test('a file becomes a datasource that answers, is changed and goes again', async ({ page, request }, { project }) => {
  test.slow();
  await page.goto('/t/acme_corp/files');
  await hydrated(page);

  await test.step('the file comes in, and is looked into', async () => {
    await page.getByLabel('File', { exact: true }).setInputFiles(people);
    await page.getByRole('button', { name: 'Upload' }).click();
    await expect(page.getByTestId('upload-outcome')).toHaveText('people.csv is stored.');
    await page.getByTestId('file').filter({ hasText: 'people.csv' }).getByTestId('look').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('people.csv');
    await expect(page.getByTestId('row-count')).toHaveText('2 rows');
    await expect(page.getByRole('cell', { name: 'bob@x.example' })).toBeVisible();
    await look(page, `${project.name}-file`);
  });

  await test.step('a datasource is made of it, with its config', async () => {
    await page.getByTestId('use-file').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('New datasource');
    await expect(page.getByTestId('file-path')).toHaveValue('people.csv');
    await expect(page.getByTestId('name'), 'it is called as the file').toHaveValue('people');
    await page.getByTestId('name').fill('');
    await page.getByTestId('save').click();
    await expect(page.getByTestId('faults').getByRole('listitem'), 'a name that is missing is told once').toHaveText(/^Name must not be empty/);
    await page.getByTestId('name').fill('People');
    await page.getByTestId('test-connection').click();
    await expect(page.getByTestId('test-outcome')).toContainText('It works');
    await look(page, `${project.name}-datasource-editor`);
    await page.keyboard.press('ControlOrMeta+s');
    await expect(page.getByTestId('toast')).toContainText('People is saved.');
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('People');
    await expect(page.getByTestId('file-link'), 'its file is a step away').toHaveAttribute('href', /\/files\/look\?path=people(\.|%2E)csv$/);
  });

  await test.step('it is tried in place', async () => {
    await page.getByTestId('test-connection').click();
    await expect(page.getByTestId('test-outcome')).toContainText('2 rows');
    const query = page.getByTestId('preview-query');
    await query.fill('SELECT * FROM data WHERE email = ?');
    await page.getByTestId('run-preview').click();
    await expect(page.getByTestId('faults')).toContainText('the query takes 1 and there are 0');
    await page.getByTestId('preview-params').fill('bob@x.example');
    await query.press('ControlOrMeta+Enter');
    await expect(page.getByTestId('preview-outcome')).toContainText('1 row in');
    await expect(page.getByRole('cell', { name: 'Bob', exact: true })).toBeVisible();
    await expect(page.getByTestId('preview-said')).toHaveText(/^1 row in [\d.]+ m?s$/);
    const live = page.locator('[aria-live], [role=status], [role=alert]');
    await expect(live.filter({ has: page.getByRole('table') }), 'no table is read out').toHaveCount(0);
    await page.getByTestId('preview-way').selectOption('match');
    await page.getByTestId('preview-match').fill('email = nobody@x.example');
    await page.getByTestId('run-preview').click();
    await expect(page.getByTestId('preview-outcome')).toContainText('No row in');
    await look(page, `${project.name}-datasource`);
  });

  await test.step('it is changed', async () => {
    await page.getByTestId('edit').click();
    await page.getByTestId('name').fill('Staff');
    await page.getByTestId('save').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Staff');
  });

  await test.step('it is deleted, then its config, then the file', async () => {
    await page.getByTestId('config-link').click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('People');
    await expect(page.getByTestId('file-link')).toHaveText('people.csv');
    await page.getByTestId('delete').click();
    await expect(page.getByRole('dialog')).toContainText('Staff');
    await page.getByRole('dialog').getByRole('link', { name: 'Staff' }).click();
    await expect(page.getByRole('heading', { level: 1 })).toHaveText('Staff');
    await page.getByTestId('delete').click();
    await page.getByTestId('delete-for-good').click();
    await expect(page).toHaveURL(/\/datasources$/);
    await expect(page.getByTestId('datasource').filter({ hasText: 'Staff' })).toHaveCount(0);
    await page.goto(`/t/acme_corp/configs/${await named(request, 'datasource-configs', 'People', 'config_id')}`);
    await hydrated(page);
    await page.getByTestId('delete').click();
    await page.getByTestId('delete-for-good').click();
    await expect(page).toHaveURL(/\/configs$/);
    await request.delete('/api/files/people.csv?tenant_id=acme_corp');
  });
});

test('two files are joined in one datasource', { tag: '@desktop' }, async ({ page, request }) => {
  const of = 'tenant_id=acme_corp';
  const files = { 'e2e_orders.csv': 'order,customer\n7,C-1\n8,C-2\n', 'e2e_customers.csv': 'number,email\nC-1,ann@x.example\n' };
  const headers = { 'content-type': 'text/csv' };
  for (const [path, data] of Object.entries(files)) expect((await request.put(`/api/files/${path}?${of}`, { data, headers })).ok()).toBe(true);
  await page.goto('/t/acme_corp/datasources/new?file=e2e_orders.csv');
  await hydrated(page);
  const further = page.getByTestId('further-files');
  await page.getByTestId('name').fill('E2E orders');
  await further.fill('Customers = e2e_customers.csv');
  await page.getByTestId('save').click();
  await expect(page.getByTestId('faults')).toContainText('must have a name of small letters');
  await further.fill('customers = e2e_customers.csv');
  await page.getByTestId('test-connection').click();
  await expect(page.getByTestId('test-outcome')).toContainText('customers: 1 rows');
  await page.getByTestId('save').click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText('E2E orders');
  await expect(page.getByTestId('file-link')).toHaveText(['e2e_orders.csv', 'e2e_customers.csv']);
  await page.getByTestId('preview-query').fill('SELECT "order" FROM data JOIN customers ON number = customer WHERE email = ?');
  await page.getByTestId('preview-params').fill('ann@x.example');
  await page.getByTestId('run-preview').click();
  await expect(page.getByTestId('preview-outcome')).toContainText('1 row in');

  const config = await named(request, 'datasource-configs', 'E2E orders', 'config_id');
  await page.goto(`/t/acme_corp/configs/${config}/edit`);
  await hydrated(page);
  await expect(further, 'what is stored is there to be changed').toHaveValue('customers = e2e_customers.csv');
  await request.delete(`/api/datasources/${await named(request, 'datasources', 'E2E orders', 'datasource_id')}?${of}`);
  await request.delete(`/api/datasource-configs/${config}?${of}`);
  for (const path of Object.keys(files)) await request.delete(`/api/files/${path}?${of}`);
});

test('what is typed is refused in words of the screen', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/t/acme_corp/configs/new');
  await hydrated(page);
  await page.getByTestId('config-name').fill('Never saved');
  await page.getByTestId('host').fill('db.example');
  await page.getByRole('textbox', { name: 'Port' }).fill('99999');
  await page.getByTestId('save').click();
  const faults = page.getByTestId('faults');
  await expect(faults).toContainText('must be a whole number up to 65535');
  await faults.getByRole('button', { name: 'Port' }).click();
  await expect(page.getByRole('textbox', { name: 'Port' })).toBeFocused();
});

test('an API whose base address answers anybody says nothing of the credentials', { tag: '@desktop' }, async ({ page, baseURL }) => {
  await page.goto('/t/acme_corp/configs/new');
  await hydrated(page);
  await page.getByTestId('config-name').fill('Never saved');
  await page.getByTestId('protocol').selectOption('HTTP API');
  await page.getByTestId('base-url').fill(`${baseURL}/healthz`);
  await page.getByTestId('auth-type').selectOption('Bearer token');
  await page.getByTestId('token').fill('of nobody');
  await page.getByTestId('test-connection').click();
  const outcome = page.getByTestId('test-outcome');
  await expect(outcome).toContainText(/answered \d+: address and port work\. Whether the credentials do, a look-up shows\./);
});

test('a stored secret stays unless it is typed anew', async ({ page, request }, { project }) => {
  test.slow();
  const name = `e2e_api_${project.name}`;
  const made = await request.post('/api/datasource-configs?tenant_id=acme_corp', {
    data: { name, protocol: 'http', driver_family: 'rest', base_url: 'http://127.0.0.1:9', auth_type: 'bearer', auth_config: { token: 'first' } },
  });
  const { config_id } = await made.json();
  try {
    await page.goto(`/t/acme_corp/configs/${config_id}/edit`);
    await hydrated(page);
    await expect(page.getByTestId('token')).toHaveValue('');
    await expect(page.getByText('Stored. Left empty, it stays as it is.')).toBeVisible();
    await page.getByTestId('test-connection').click();
    await expect(page.getByTestId('test-outcome')).toContainText('It ended at the');
    await page.getByTestId('base-url').fill('http://127.0.0.1:10');
    await expect(page.getByTestId('test-outcome'), 'of another address it says nothing').toHaveCount(0);
    await expect(page.getByTestId('test-outdated')).toBeVisible();
    await page.getByTestId('base-url').fill('http://127.0.0.1:9');
    await expect(page.getByTestId('test-outcome')).toBeVisible();
    await look(page, `${project.name}-config-editor`);

    await page.getByTestId('base-url').fill('http://127.0.0.2:9');
    await page.getByTestId('save').click();
    await expect(page.getByTestId('faults'), 'to another address it does not go').toContainText('must be entered again');
    await page.getByTestId('token').fill('second');
    await page.getByTestId('save').click();
    await expect(page.getByTestId('toast')).toContainText(`The config ${name} is saved.`);
    await expect(page.getByText('http://127.0.0.2:9')).toBeVisible();
    await look(page, `${project.name}-config`);
  } finally {
    await request.delete(`/api/datasource-configs/${config_id}?tenant_id=acme_corp`);
  }
});

test('what is tried keeps the keyboard, and is tried once', { tag: '@desktop' }, async ({ page, request }) => {
  await page.goto(`/t/acme_corp/datasources/${await named(request, 'datasources', 'Shop database', 'datasource_id')}`);
  await hydrated(page);
  await page.getByTestId('preview-query').fill('SELECT name FROM customers');
  for (const [button, address, outcome] of [
    ['test-connection', '**/ui/datasources/test', 'test-outcome'],
    ['run-preview', '**/ui/datasources/preview', 'preview-outcome'],
  ]) {
    await test.step(button, async () => {
      const { asked, answer } = await hold(page, address);
      await page.getByTestId(button).focus();
      await page.keyboard.press('Enter');
      await expect(page.getByTestId(button)).toHaveAttribute('aria-busy', 'true');
      await expect(page.getByTestId(button)).toHaveAttribute('aria-disabled', 'true');
      await page.keyboard.press('Enter');
      answer();
      await expect(page.getByTestId(outcome)).toBeVisible();
      await expect(page.getByTestId(button)).not.toHaveAttribute('aria-disabled');
      await expect(page.getByTestId(button)).toBeFocused();
      expect(asked()).toBe(1);
    });
  }
});

test('what a look-up gave is told within a narrow screen', { tag: '@phone' }, async ({ page, request }) => {
  await page.setViewportSize({ width: 320, height: 844 });
  await page.goto(`/t/acme_corp/datasources/${await named(request, 'datasources', 'Shop database', 'datasource_id')}`);
  await hydrated(page);
  await page.getByTestId('preview-query').fill('SELECT a.name FROM customers a, customers b, customers c');
  await page.getByTestId('run-preview').click();
  await expect(page.getByTestId('preview-outcome')).toContainText(/More than \d+ rows, the first \d+ shown in/);
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
});

test('rules are found by what they ask, and lead to their intent', async ({ page, request }) => {
  await page.goto('/t/acme_corp/rules');
  await hydrated(page);
  const all = await page.getByTestId('rule').count();
  await unfold(page);
  await page.getByLabel('Type').selectOption('not exists');
  await expect(page).toHaveURL(/type=not_exists/);
  await expect.poll(() => page.getByTestId('rule').count()).toBeLessThan(all);
  await unfold(page);
  await page.getByRole('link', { name: 'Clear' }).click();
  await expect(page.getByTestId('rule')).toHaveCount(all);
  const intent = await only(request, 'intents', 'q=Order+enquiry', 'intent_id');
  await expect(page.getByRole('link', { name: 'Order enquiry' }).first()).toHaveAttribute('href', `/t/acme_corp/intents/${intent}/edit`);
});

test('a datasource tells who asks it', async ({ page, request }) => {
  await page.goto(`/t/acme_corp/datasources/${await named(request, 'datasources', 'Shop database', 'datasource_id')}`);
  await hydrated(page);
  await expect(page.getByTestId('user').filter({ hasText: 'Order enquiry' }).first()).toContainText('must be found in it');
  await page.getByTestId('delete').click();
  const question = page.getByRole('dialog', { name: 'Delete the datasource Shop database?' });
  await expect(question).toContainText('deleted too');
  await expect(question).toHaveAccessibleDescription(/deleted too, and messages are no longer checked by/);
  await page.keyboard.press('Escape');
  await page.goto('/t/acme_corp/datasources/new');
  await hydrated(page);
  await page.getByTestId('type').selectOption('HTTP API');
  await expect(page.getByTestId('base-url')).toBeVisible();
  await page.getByTestId('auth-type').selectOption('OAuth 2.0 (client credentials)');
  await expect(page.getByTestId('client_secret')).toBeVisible();
  await page.getByTestId('type').selectOption('Database');
  await expect(page.getByTestId('host')).toBeVisible();
  await look(page, `${test.info().project.name}-datasource-new`);
});
