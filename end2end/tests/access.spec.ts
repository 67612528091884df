// People come in by invitation and password, and look after their password themselves.
import type { Page } from '@playwright/test';

import { invite } from './demo';
import { expect, test } from './fixtures';

const PASSWORD = 'correct horse battery';
const OTHER = 'staple on the window sill';

async function fill(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) await page.getByLabel(label, { exact: true }).fill(value);
}

async function signIn(page: Page, email: string, password: string): Promise<void> {
  await fill(page, { Email: email, Password: password });
  await page.getByTestId('sign-in').getByRole('button', { name: 'Sign in' }).click();
}

for (const javaScriptEnabled of [true, false]) {
  test.describe(javaScriptEnabled ? 'in a browser' : 'without JavaScript', () => {
    test.use({ javaScriptEnabled });

    test('an invited person comes in, and chooses another password', async ({ browser, request }, { project }) => {
      const email = `ada-${project.name}-${javaScriptEnabled}@acme.example`;
      const link = await invite(request, email);
      const context = await browser.newContext({ storageState: { cookies: [], origins: [] }, javaScriptEnabled });
      const page = await context.newPage();

      await page.goto(link.href);
      await expect(page.getByTestId('invitation')).toContainText(email);
      await fill(page, { 'Your name, for a new account': 'Ada Lovelace', Password: 'password1234' });
      await page.getByRole('button', { name: 'Accept' }).click();
      await expect(page.getByTestId('form-outcome')).toContainText('easily guessed');
      await expect(page.getByLabel('Password', { exact: true })).toHaveAttribute('aria-invalid', 'true');
      await fill(page, { 'Your name, for a new account': 'Ada Lovelace', Password: PASSWORD });
      await page.getByRole('button', { name: 'Accept' }).click();
      await expect(page.getByTestId('tenants')).toContainText('Acme Corporation');
      await expect(page.getByTestId('tenants')).not.toContainText('Globex');

      await page.goto('/account');
      await fill(page, { 'Current password': PASSWORD, 'New password': OTHER, Again: `${OTHER}s` });
      await page.getByRole('button', { name: 'Set the password' }).click();
      await expect(page.getByTestId('form-outcome')).toContainText('not the same');
      await expect(page.getByLabel('Again')).toHaveAccessibleDescription(/not the same/);
      await fill(page, { 'Current password': PASSWORD, 'New password': OTHER, Again: OTHER });
      await page.getByRole('button', { name: 'Set the password' }).click();
      await expect(page.getByTestId('form-outcome')).toContainText('Your password is set');
      await page.getByTestId('sign-out').click();

      await page.goto('/t/acme_corp/rules');
      await signIn(page, email, PASSWORD);
      await expect(page.getByTestId('form-outcome')).toContainText('wrong');
      await signIn(page, email, OTHER);
      await expect(page, 'back to what was asked for').toHaveURL(/\/t\/acme_corp\/rules$/);
      await expect(page.getByRole('heading', { name: 'Rules' })).toBeVisible();
      await context.close();
    });
  });
}

test('a link that was used says so', { tag: '@desktop' }, async ({ browser }) => {
  const context = await browser.newContext({ storageState: { cookies: [], origins: [] } });
  const page = await context.newPage();
  await page.goto('/reset/7pKzZO5Dv8ZsdGZKm6OH1D6ohdSUOE9M');
  await fill(page, { 'New password': PASSWORD, Again: PASSWORD });
  await page.getByRole('button', { name: 'Set the password' }).click();
  await expect(page.getByTestId('form-outcome')).toContainText('has been used');
  await context.close();
});

test('an address with a slash at its end is that of the page', { tag: '@desktop' }, async ({ request }) => {
  for (const [given, page] of [
    ['/t/acme_corp/', '/t/acme_corp'],
    ['/t/acme_corp/messages/?q=order', '/t/acme_corp/messages?q=order'],
  ]) {
    const answer = await request.get(given, { maxRedirects: 0 });
    expect(answer.status(), given).toBe(308);
    expect(answer.headers().location).toBe(page);
  }
});
