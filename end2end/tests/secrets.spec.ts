import { randomUUID } from 'node:crypto';

import { expect, hydrated, test } from './fixtures';

test('what a config keeps secret is in no page and no answer', { tag: '@desktop' }, async ({ page, request }) => {
  const secrets = { username: `user-${randomUUID()}`, password: `password-${randomUUID()}` };
  const tenant = 'tenant_id=acme_corp';
  const made = await request.post(`/api/datasource-configs?${tenant}`, {
    data: { name: 'e2e_secret', protocol: 'http', driver_family: 'rest', base_url: 'http://127.0.0.1:9', auth_type: 'basic', auth_config: secrets },
  });
  expect(made.status()).toBe(201);
  const { config_id } = await made.json();

  try {
    const answers: (string | Promise<string>)[] = [await made.text()];
    page.on('response', (answer) => {
      // The stream of changes has no end to read up to.
      if (/\/(ui|t)\//.test(answer.url()) && !answer.url().includes('/ui/changes')) answers.push(answer.text());
    });

    // Once as the server renders it, with the data for hydration, and once as the browser asks for it.
    const whole = await page.goto('/t/acme_corp/configs');
    const html = await whole!.text();
    expect(html).toContain('e2e_secret');
    expect(html).toContain('********');
    await hydrated(page);
    await expect(page.getByTestId('config').filter({ hasText: 'e2e_secret' })).toContainText('kept secret');
    expect(await page.content()).not.toContain('Bearer');

    await page.goto('/t/acme_corp');
    await hydrated(page);
    const asked = page.waitForResponse(/\/ui\/datasource-configs\/list/);
    await page.getByTestId('count-configs').click();
    answers.push(await (await asked).text());
    await expect(page.getByTestId('config').filter({ hasText: 'e2e_secret' })).toBeVisible();

    answers.push(await (await request.get(`/api/datasource-configs?${tenant}`)).text());
    answers.push(await (await request.get(`/api/datasource-configs/${config_id}?${tenant}`)).text());

    for (const secret of Object.values(secrets)) {
      for (const answer of [html, ...(await Promise.all(answers))]) expect(answer.includes(secret)).toBe(false);
    }
    expect(await page.evaluate(() => document.cookie), 'no script reads the session').toBe('');
  } finally {
    await request.delete(`/api/datasource-configs/${config_id}?${tenant}`);
  }
});
