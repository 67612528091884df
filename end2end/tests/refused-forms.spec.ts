// A plain form that was refused has what was typed beside the password, and its address does not tell it.
import { invite } from './demo';
import { expect, hydrated, test } from './fixtures';

const NOBODY = { cookies: [], origins: [] };

test.describe('the sign-in', () => {
  test.use({ storageState: NOBODY });

  test('has the address still', async ({ page, context }) => {
    const email = page.getByLabel('Email');
    await page.goto('/sign-in?next=%2Ft%2Facme_corp');
    await hydrated(page);
    await email.fill('no+body@acme.example');
    await page.getByLabel('Password', { exact: true }).fill('mellow otter');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await expect(page).toHaveURL(/[?&]error=wrong/);
    expect(page.url()).not.toContain('body');
    await hydrated(page);
    await expect(email).toHaveValue('no+body@acme.example');
    await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');
    const kept = (await context.cookies()).filter((cookie) => cookie.value.includes('body'));
    expect(kept).toHaveLength(1);
    expect(kept[0]).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/sign-in' });
    expect(kept[0].expires - Date.now() / 1_000, 'not for long').toBeLessThanOrEqual(60);

    await page.goto('/sign-in');
    await expect(email, 'only where it was refused').toHaveValue('');
  });
});

test('an invitation has the name still, without WebAssembly', { tag: '@desktop' }, async ({ browser, request, baseURL }) => {
  const link = await invite(request, 'typed@acme.example');
  const context = await browser.newContext({ javaScriptEnabled: false, storageState: NOBODY, baseURL });
  const page = await context.newPage();
  await page.goto(link.pathname);
  const name = page.getByLabel('Your name, for a new account');
  await name.fill('Zoë "Z" Öz');
  await page.getByLabel('Password', { exact: true }).fill('password1234');
  await page.getByRole('button', { name: 'Accept' }).click();
  await expect(page).toHaveURL(/\?error=weak$/);
  await expect(name).toHaveValue('Zoë "Z" Öz');
  await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');
  await context.close();
});
