import { flowengine } from '../flowengine';
import { expect, hydrated, test } from './fixtures';
import { hold } from './hold';

test.use({ storageState: { cookies: [], origins: [] } });

test('the one-time link signs in, once', async ({ page, context }) => {
  const link = flowengine('admin', 'sign-in-link');
  await page.goto(link);
  await expect(page.getByTestId('tenants')).toContainText('Acme Corporation');
  expect(page.url(), 'the link is not left in the address').not.toContain('sign-in');
  await expect(page.getByTestId('no-way-back').getByRole('link')).toHaveAttribute('href', '/account');

  const session = await context.cookies();
  expect(session).toHaveLength(1);
  expect(session[0]).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });

  await context.clearCookies();
  await page.goto(link);
  await expect(page).toHaveURL(/\/sign-in\?error=/);
  await expect(page.getByTestId('form-outcome')).toContainText('has been used');
  await page.goto('/t/acme_corp');
  await expect(page).toHaveURL(/\/sign-in(\?next=.*)?$/);

  await context.addCookies(session);
  await page.goto('/tenants');
  await page.getByTestId('sign-out').click();
  await expect(page).toHaveURL(/\/sign-in(\?next=.*)?$/);
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();

  await context.addCookies(session);
  await page.goto('/tenants');
  await expect(page, 'the session is ended on the server, too').toHaveURL(/\/sign-in\?next=/);
});

test('what was searched for is forgotten at the sign-out', { tag: '@desktop' }, async ({ page }) => {
  const lists = () => page.evaluate(() => Object.keys(sessionStorage).filter((key) => key.startsWith('lastList:')));
  await page.goto(flowengine('admin', 'sign-in-link'));
  await page.goto('/t/acme_corp/messages?q=jane.doe%40customer.example');
  await hydrated(page);
  await expect.poll(lists).toEqual(['lastList:acme_corp']);
  const { answer } = await hold(page, '**/*.wasm');
  await page.getByTestId('sign-out').click();
  await expect(page.getByRole('heading', { name: 'Sign in' })).toBeVisible();
  expect(await lists(), 'before the page is taken over').toEqual([]);
  answer();
  await hydrated(page);

  await page.evaluate(() => sessionStorage.setItem('lastList:acme_corp', '"?q=jane"'));
  await page.goto('/sign-in');
  await expect.poll(lists, 'a session may end by itself').toEqual([]);
});

test('a made-up link does not sign in', { tag: '@desktop' }, async ({ page }) => {
  await page.goto('/sign-in/7pKzZO5Dv8ZsdGZKm6OH1D6ohdSUOE9M');
  await expect(page.getByTestId('form-outcome')).toBeVisible();
  await page.goto('/tenants');
  await expect(page).toHaveURL(/\/sign-in(\?next=.*)?$/);
});

test('every page leads to the sign-in', async ({ page, request }) => {
  await page.goto('/t/acme_corp/messages');
  await hydrated(page);
  await expect(page.getByTestId('sign-in')).toBeVisible();

  const paths = ['/', '/tenants', '/intents', '/t/acme_corp', '/t/acme_corp/configs', '/t/acme_corp/intents/1'];
  for (const path of paths) {
    const answer = await request.get(path, { maxRedirects: 0 });
    expect(answer.headers().location, path).toMatch(/^\/sign-in(\?next=|$)/);
    expect(await answer.text(), path).not.toContain('acme');
  }
});

const NOBODY = '01890000-0000-7000-8000-000000000000';

test('every call of the API answers 401', { tag: '@desktop' }, async ({ request }) => {
  const tenant = 'tenant_id=acme_corp';
  const paths = [
    '/api/tenants',
    '/api/tenants/acme_corp',
    `/api/intents?${tenant}`,
    `/api/intents/1?${tenant}`,
    `/api/validation-rules?${tenant}`,
    `/api/datasources?${tenant}`,
    `/api/datasource-configs?${tenant}`,
    `/api/emails?${tenant}`,
    `/api/emails/${NOBODY}?${tenant}`,
    `/api/emails/${NOBODY}/raw?${tenant}`,
    `/api/stats?${tenant}`,
  ];
  for (const path of paths) {
    const answer = await request.get(path, { headers: { accept: 'application/json' } });
    expect(answer.status(), path).toBe(401);
    expect(answer.headers()['content-type'], path).toBe('application/problem+json');
  }
  const message = { headers: { 'content-type': 'message/rfc822' }, data: 'Subject: hello\r\n\r\nhello' };
  expect((await request.post(`/api/emails?${tenant}`, message)).status()).toBe(401);
});

test('every server function answers 401', { tag: '@desktop' }, async ({ request }) => {
  const tenant_id = 'acme_corp';
  const calls: [string, Record<string, string>][] = [
    ['me', {}],
    ['tenants/list', {}],
    ['tenants/load-demo', {}],
    ['dashboard', { tenant_id, period: 'day' }],
    ['emails/list', { tenant_id, 'filter[q]': '' }],
    ['emails/get', { tenant_id, email_id: NOBODY }],
    ['emails/reprocess', { tenant_id, email_id: NOBODY }],
    ['emails/decide', { tenant_id, email_id: NOBODY, decision: 'accepted', note: '' }],
    ['intents/list', { tenant_id }],
    ['intents/get', { tenant_id, intent_id: '1' }],
    ['rules/list', { tenant_id }],
    ['datasources/list', { tenant_id }],
    ['datasource-configs/list', { tenant_id }],
  ];
  for (const [name, form] of calls) {
    const answer = await request.post(`/ui/${name}`, { form });
    expect(answer.status(), name).toBe(401);
  }
});
